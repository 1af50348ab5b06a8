/* SPDX-License-Identifier: MIT */
#include "core/see/unwind.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/see/dwarf.h"
#include "core/see/quiet.h"

/* Registers by their DWARF numbers: as many as can say where a caller's are. */
#if defined(__x86_64__)
enum { RBX = 3, RBP = 6, SP = 7, PC = 16, REGISTERS = 17 };
#elif defined(__aarch64__)
enum { X19 = 19, X29 = 29, LR = 30, SP = 31, REGISTERS = 32 };
#endif

#define ROWS 512
#define REMEMBERED 8
#define STACK_OF_VALUES 16

/* ---- a row of the table: how to find the caller's registers ---- */

enum how {
	HOW_SAME = 0, /* not saved: as it is */
	HOW_UNDEFINED,
	HOW_SAVED,           /* at cfa + n */
	HOW_OFFSET,          /* cfa + n itself */
	HOW_REGISTER,        /* in register n */
	HOW_EXPRESSION,      /* at the expression's value */
	HOW_EXPRESSION_VALUE /* that value itself */
};

struct rule {
	int64_t n;
	const uint8_t *expression; /* a length, and the operations */
	uint8_t how;
};

struct row {
	uintptr_t pc; /* 0: none */
	bool found;   /* else there is no table for it: a backtrace ends there */
	bool ra_signed;
	uint8_t return_column;
	struct rule cfa; /* HOW_EXPRESSION_VALUE, or HOW_REGISTER with the offset beside it */
	int64_t cfa_offset;
	struct rule rule[REGISTERS];
};

struct unwind {
	struct row row[ROWS];
	struct row initial, remembered[REMEMBERED];
	uintptr_t low, high;
	uint64_t reg[REGISTERS], caller[REGISTERS];
	bool known[REGISTERS], caller_known[REGISTERS];
};

struct unwind *unwind_new(void)
{
	return calloc(1, sizeof(struct unwind));
}

void unwind_free(struct unwind *u)
{
	free(u);
}

/* ---- reading the table, which is the program's own read-only memory ---- */

static uint64_t fixed(const uint8_t **p, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, *p, bytes); /* little-endian, as both architectures are on Linux */
	*p += bytes;
	return v;
}

static uint64_t uleb(const uint8_t **p)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = *(*p)++;
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return v;
}

static int64_t sleb(const uint8_t **p)
{
	const uint8_t *from = *p;
	uint64_t v = uleb(p);
	unsigned bits = 7 * (unsigned)(*p - from);

	if ((*p)[-1] & 0x40 && bits < 64)
		v |= ~(uint64_t)0 << bits;
	return (int64_t)v;
}

/* Pass over a pointer. False: an encoding that is not known here. */
static bool skip_pointer(const uint8_t **p, uint8_t encoding)
{
	switch (encoding & PE_FORM) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		*p += 8;
		return encoding != 0x50; /* aligned: nobody uses it */
	case PE_UDATA4:
	case PE_SDATA4:
		*p += 4;
		return true;
	case PE_UDATA2:
	case PE_SDATA2:
		*p += 2;
		return true;
	case PE_ULEB128:
	case PE_SLEB128:
		uleb(p);
		return true;
	default:
		return false;
	}
}

struct cie {
	const uint8_t *program, *end;
	uint64_t code_align;
	int64_t data_align;
	uint8_t return_column, pointers;
	bool sized; /* an FDE has augmentation data */
};

static bool read_cie(const uint8_t *p, struct cie *c)
{
	uint32_t length = (uint32_t)fixed(&p, 4);
	const uint8_t *data;
	const char *augmentation;
	uint8_t version;

	if (length == 0xffffffff)
		return false;
	c->end = p + length;
	p += 4; /* its id */
	version = *p++;
	augmentation = (const char *)p;
	p += strlen(augmentation) + 1;
	if ((version != 1 && version != 3) || (*augmentation && *augmentation != 'z'))
		return false;
	c->code_align = uleb(&p);
	c->data_align = sleb(&p);
	c->return_column = version == 1 ? *p++ : (uint8_t)uleb(&p);
	c->pointers = PE_ABSPTR;
	c->sized = *augmentation == 'z';
	if (c->sized) {
		uint64_t bytes = uleb(&p);

		data = p;
		p += bytes;
		for (augmentation++; *augmentation; augmentation++) {
			uint8_t encoding;

			switch (*augmentation) {
			case 'R':
				c->pointers = *data++;
				break;
			case 'L':
				data++;
				break;
			case 'P':
				encoding = *data++;
				if (!skip_pointer(&data, encoding))
					return false;
				break;
			case 'S': /* a signal's frame: nothing that waits is in one */
			case 'B': /* return addresses are signed by the other key */
				break;
			default:
				return false;
			}
		}
	}
	c->program = p;
	return true;
}

static void set_rule(struct row *row, uint64_t reg, enum how how, int64_t n, const uint8_t *expression)
{
	if (reg < REGISTERS)
		row->rule[reg] = (struct rule){n, expression, (uint8_t)how};
}

static const uint8_t *skip_block(const uint8_t **p)
{
	const uint8_t *block = *p;
	uint64_t bytes = uleb(p);

	*p += bytes;
	return block;
}

static void restore(struct row *row, const struct row *initial, uint64_t reg)
{
	if (initial && reg < REGISTERS)
		row->rule[reg] = initial->rule[reg];
}

/* Run a program up to `pc`. initial: what the CIE's own left; NULL: this is that. */
static bool run_program(struct unwind *u, struct row *row, const struct cie *c, const uint8_t *p, const uint8_t *end,
			uintptr_t at, uintptr_t pc, const struct row *initial)
{
	unsigned depth = 0;
	uint64_t reg;

	while (p < end && at <= pc) {
		uint8_t op = *p++;

		switch (op & 0xc0) {
		case CFA_ADVANCE_LOC:
			at += (op & 0x3f) * c->code_align;
			continue;
		case CFA_OFFSET:
			set_rule(row, op & 0x3f, HOW_SAVED, (int64_t)uleb(&p) * c->data_align, NULL);
			continue;
		case CFA_RESTORE:
			restore(row, initial, op & 0x3f);
			continue;
		}
		switch (op) {
		case CFA_NOP:
			break;
		case CFA_ADVANCE_LOC1:
			at += fixed(&p, 1) * c->code_align;
			break;
		case CFA_ADVANCE_LOC2:
			at += fixed(&p, 2) * c->code_align;
			break;
		case CFA_ADVANCE_LOC4:
			at += fixed(&p, 4) * c->code_align;
			break;
		case CFA_OFFSET_EXTENDED:
			reg = uleb(&p);
			set_rule(row, reg, HOW_SAVED, (int64_t)uleb(&p) * c->data_align, NULL);
			break;
		case CFA_OFFSET_EXTENDED_SF:
			reg = uleb(&p);
			set_rule(row, reg, HOW_SAVED, sleb(&p) * c->data_align, NULL);
			break;
		case CFA_VAL_OFFSET:
			reg = uleb(&p);
			set_rule(row, reg, HOW_OFFSET, (int64_t)uleb(&p) * c->data_align, NULL);
			break;
		case CFA_VAL_OFFSET_SF:
			reg = uleb(&p);
			set_rule(row, reg, HOW_OFFSET, sleb(&p) * c->data_align, NULL);
			break;
		case CFA_RESTORE_EXTENDED:
			restore(row, initial, uleb(&p));
			break;
		case CFA_UNDEFINED:
			set_rule(row, uleb(&p), HOW_UNDEFINED, 0, NULL);
			break;
		case CFA_SAME_VALUE:
			set_rule(row, uleb(&p), HOW_SAME, 0, NULL);
			break;
		case CFA_REGISTER:
			reg = uleb(&p);
			set_rule(row, reg, HOW_REGISTER, (int64_t)uleb(&p), NULL);
			break;
		case CFA_EXPRESSION:
			reg = uleb(&p);
			set_rule(row, reg, HOW_EXPRESSION, 0, skip_block(&p));
			break;
		case CFA_VAL_EXPRESSION:
			reg = uleb(&p);
			set_rule(row, reg, HOW_EXPRESSION_VALUE, 0, skip_block(&p));
			break;
		case CFA_REMEMBER_STATE:
			if (depth == REMEMBERED)
				return false;
			u->remembered[depth++] = *row;
			break;
		case CFA_RESTORE_STATE:
			if (!depth)
				return false;
			*row = u->remembered[--depth];
			break;
		case CFA_DEF_CFA:
			row->cfa = (struct rule){(int64_t)uleb(&p), NULL, HOW_REGISTER};
			row->cfa_offset = (int64_t)uleb(&p);
			break;
		case CFA_DEF_CFA_SF:
			row->cfa = (struct rule){(int64_t)uleb(&p), NULL, HOW_REGISTER};
			row->cfa_offset = sleb(&p) * c->data_align;
			break;
		case CFA_DEF_CFA_REGISTER:
			row->cfa = (struct rule){(int64_t)uleb(&p), NULL, HOW_REGISTER};
			break;
		case CFA_DEF_CFA_OFFSET:
			row->cfa_offset = (int64_t)uleb(&p);
			break;
		case CFA_DEF_CFA_OFFSET_SF:
			row->cfa_offset = sleb(&p) * c->data_align;
			break;
		case CFA_DEF_CFA_EXPRESSION:
			row->cfa = (struct rule){0, skip_block(&p), HOW_EXPRESSION_VALUE};
			break;
		case CFA_AARCH64_NEGATE_RA_STATE:
			row->ra_signed = !row->ra_signed;
			break;
		case CFA_GNU_ARGS_SIZE:
			uleb(&p);
			break;
		default:
			return false;
		}
	}
	return true;
}

/* In the library that comes with the compiler; declared in a header of its own only. */
struct dwarf_eh_bases {
	void *text, *data, *function;
};
const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

static bool work_out(struct unwind *u, struct row *row, uintptr_t pc)
{
	struct dwarf_eh_bases bases;
	const uint8_t *fde = _Unwind_Find_FDE((void *)pc, &bases), *p = fde, *end;
	uint32_t length;
	struct cie c;

	if (!fde)
		return false;
	length = (uint32_t)fixed(&p, 4);
	if (length == 0xffffffff)
		return false;
	end = p + length;
	if (!read_cie(p - (int32_t)fixed(&(const uint8_t *){p}, 4), &c))
		return false;
	p += 4;
	/* where it begins is in bases; how long it is was looked at in finding it */
	for (int i = 0; i < 2; i++)
		if (!skip_pointer(&p, c.pointers))
			return false;
	if (c.sized)
		skip_block(&p);
	row->return_column = c.return_column;
	if (c.return_column >= REGISTERS || !run_program(u, row, &c, c.program, c.end, 0, UINTPTR_MAX, NULL))
		return false;
	u->initial = *row;
	return run_program(u, row, &c, p, end, (uintptr_t)bases.function, pc, &u->initial);
}

static const struct row *row_of(struct unwind *u, uintptr_t pc)
{
	struct row *row = &u->row[(pc * 0x9e3779b97f4a7c15u) >> 32 & (ROWS - 1)];

	if (row->pc != pc) {
		memset(row, 0, sizeof(*row));
		row->pc = pc;
		row->found = work_out(u, row, pc);
	}
	return row;
}

/* ---- applying a row to a stack, which may change at any time ---- */

static bool peek(const struct unwind *u, uint64_t address, uint64_t *value)
{
	if (address % 8 || address < u->low || address > u->high - 8)
		return false;
	*value = quiet_read((const void *)(uintptr_t)address);
	return true;
}

/* An expression over the registers and the stack. False: it cannot be had. */
static bool evaluate(const struct unwind *u, const uint8_t *p, const uint64_t *cfa, uint64_t *value)
{
	uint64_t bytes = uleb(&p), s[STACK_OF_VALUES];
	const uint8_t *end = p + bytes;
	unsigned n = 0;

	if (cfa)
		s[n++] = *cfa;
	while (p < end) {
		uint8_t op = *p++;
		uint64_t v;

		if (n == STACK_OF_VALUES)
			return false;
		if (op >= OP_LIT0 && op <= OP_LIT31) {
			s[n++] = op - OP_LIT0;
			continue;
		}
		if (op >= OP_BREG0 && op <= OP_BREG31) {
			unsigned reg = op - OP_BREG0;

			v = (uint64_t)sleb(&p);
			if (reg >= REGISTERS || !u->known[reg])
				return false;
			s[n++] = u->reg[reg] + v;
			continue;
		}
		switch (op) {
		case OP_ADDR:
		case OP_CONST8U:
		case OP_CONST8S:
			s[n++] = fixed(&p, 8);
			continue;
		case OP_CONST1U:
			s[n++] = fixed(&p, 1);
			continue;
		case OP_CONST1S:
			s[n++] = (uint64_t)(int8_t)fixed(&p, 1);
			continue;
		case OP_CONST2U:
			s[n++] = fixed(&p, 2);
			continue;
		case OP_CONST2S:
			s[n++] = (uint64_t)(int16_t)fixed(&p, 2);
			continue;
		case OP_CONST4U:
			s[n++] = fixed(&p, 4);
			continue;
		case OP_CONST4S:
			s[n++] = (uint64_t)(int32_t)fixed(&p, 4);
			continue;
		case OP_CONSTU:
			s[n++] = uleb(&p);
			continue;
		case OP_CONSTS:
			s[n++] = (uint64_t)sleb(&p);
			continue;
		}
		if (!n)
			return false;
		switch (op) {
		case OP_DEREF:
			if (!peek(u, s[n - 1], &s[n - 1]))
				return false;
			continue;
		case OP_DUP:
			s[n] = s[n - 1];
			n++;
			continue;
		case OP_DROP:
			n--;
			continue;
		case OP_PLUS_UCONST:
			s[n - 1] += uleb(&p);
			continue;
		}
		if (n < 2)
			return false;
		v = s[--n];
		switch (op) {
		case OP_AND:
			s[n - 1] &= v;
			break;
		case OP_OR:
			s[n - 1] |= v;
			break;
		case OP_PLUS:
			s[n - 1] += v;
			break;
		case OP_MINUS:
			s[n - 1] -= v;
			break;
		case OP_MUL:
			s[n - 1] *= v;
			break;
		case OP_SHL:
			s[n - 1] = v < 64 ? s[n - 1] << v : 0;
			break;
		case OP_GE:
			s[n - 1] = (int64_t)s[n - 1] >= (int64_t)v;
			break;
		default:
			return false;
		}
	}
	if (!n)
		return false;
	*value = s[n - 1];
	return true;
}

static bool apply(const struct unwind *u, const struct rule *rule, unsigned reg, uint64_t cfa, uint64_t *value)
{
	switch (rule->how) {
	case HOW_SAME:
		*value = u->reg[reg];
		return u->known[reg];
	case HOW_SAVED:
		return peek(u, cfa + (uint64_t)rule->n, value);
	case HOW_OFFSET:
		*value = cfa + (uint64_t)rule->n;
		return true;
	case HOW_REGISTER:
		if (rule->n < 0 || rule->n >= REGISTERS || !u->known[rule->n])
			return false;
		*value = u->reg[rule->n];
		return true;
	case HOW_EXPRESSION:
		return evaluate(u, rule->expression, &cfa, value) && peek(u, *value, value);
	case HOW_EXPRESSION_VALUE:
		return evaluate(u, rule->expression, &cfa, value);
	default:
		return false;
	}
}

static bool find_cfa(const struct unwind *u, const struct row *row, uint64_t *cfa)
{
	if (row->cfa.how == HOW_EXPRESSION_VALUE)
		return evaluate(u, row->cfa.expression, NULL, cfa);
	if (row->cfa.how != HOW_REGISTER || row->cfa.n < 0 || row->cfa.n >= REGISTERS || !u->known[row->cfa.n])
		return false;
	*cfa = u->reg[row->cfa.n] + (uint64_t)row->cfa_offset;
	return true;
}

/* A signed return address, without its signature. */
static uintptr_t plain_address(uintptr_t address, bool ra_signed)
{
#if defined(__aarch64__)
	if (ra_signed) {
		register uintptr_t x30 __asm__("x30") = address;

		__asm__("hint #7" : "+r"(x30)); /* xpaclri */
		return x30;
	}
#endif
	(void)ra_signed;
	return address;
}

/* From a frame to its caller's. The address to return to, or 0: there is none. */
static uintptr_t step(struct unwind *u, uintptr_t at, bool innermost)
{
	const struct row *row = row_of(u, at);
	uint64_t cfa, return_address;

	if (!row->found || !find_cfa(u, row, &cfa))
		return 0;
	/* outwards only, or it would never end */
	if (cfa > u->high || cfa < u->reg[SP] || (cfa == u->reg[SP] && !innermost))
		return 0;
	if (!apply(u, &row->rule[row->return_column], row->return_column, cfa, &return_address))
		return 0;
	for (unsigned i = 0; i < REGISTERS; i++)
		u->caller_known[i] = apply(u, &row->rule[i], i, cfa, &u->caller[i]);
	memcpy(u->reg, u->caller, sizeof(u->reg));
	memcpy(u->known, u->caller_known, sizeof(u->known));
	u->reg[SP] = cfa;
	u->known[SP] = true;
#if defined(__x86_64__)
	u->reg[PC] = return_address;
	u->known[PC] = true;
#else
	u->known[LR] = false; /* a caller has called: its own is on its stack */
#endif
	return plain_address(return_address, row->ra_signed);
}

/* The frame that switch_stack() leaves (core/thread/switch.h). */
static uintptr_t begin(struct unwind *u, uintptr_t sp)
{
	uint64_t pc;

	memset(u->known, 0, sizeof(u->known));
	if (!peek(u, sp, &pc))
		return 0;
#if defined(__x86_64__)
	u->known[RBX] = peek(u, sp + 8, &u->reg[RBX]);
	u->known[RBP] = peek(u, sp + 16, &u->reg[RBP]);
	u->reg[SP] = sp + 24;
	u->reg[PC] = pc;
	u->known[PC] = true;
#else
	u->known[X29] = peek(u, sp + 8, &u->reg[X29]);
	u->known[X19] = peek(u, sp + 16, &u->reg[X19]);
	u->reg[SP] = sp + 32;
#endif
	u->known[SP] = true;
	return pc;
}

size_t unwind_stack(struct unwind *u, uintptr_t sp, uintptr_t low, uintptr_t high, uintptr_t *pc, size_t most)
{
	uintptr_t at;
	size_t n = 0;

	u->low = low;
	u->high = high;
	at = begin(u, sp);
	while (at && n < most) {
		pc[n++] = at;
		/* behind a call, which may be the last of its function */
		at = step(u, n == 1 ? at : at - 1, n == 1);
	}
	return n;
}
