/* SPDX-License-Identifier: MIT */
#include "core/see/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULES 32
/* Of addresses that were looked up: the same few come again and again. */
#define KNOWN 256
#define NAME_MOST 300

struct module {
	uintptr_t base; /* what is added to its addresses */
	char path[PATH_MAX];
	const char *file; /* mapped; NULL: could not be read */
	size_t size;
	const Elf64_Sym *symbol; /* checked to lie in the file, with the names */
	size_t symbols;
	const char *names;
	size_t names_size;
};

struct wanted {
	uintptr_t address, base;
	char path[PATH_MAX];
	bool found;
};

/* In pages of its own, untouched where nothing is: also for who may not call malloc. */
struct symbols {
	struct module module[MODULES];
	unsigned modules;
	struct wanted wanted; /* a path is much for a thread's stack */
	struct known {
		uintptr_t address;
		const struct module *module;
		const char *name; /* NULL: none was found */
		uintptr_t start;
	} known[KNOWN];
};

struct symbols *symbols_new(void)
{
	void *p = mmap(NULL, sizeof(struct symbols), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->modules; i++)
		if (s->module[i].file)
			munmap((void *)(uintptr_t)s->module[i].file, s->module[i].size);
	munmap(s, sizeof(*s));
}

/* ---- a file's symbol table ---- */

static bool inside(const struct module *m, uint64_t offset, uint64_t bytes)
{
	return offset <= m->size && bytes <= m->size - offset;
}

/* The file may be anything by now: what it says of itself is checked. */
static void find_table(struct module *m)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)m->file;
	const Elf64_Shdr *section;

	if (m->size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_shentsize != sizeof(*section) || h->e_shoff % 8 ||
	    !inside(m, h->e_shoff, (uint64_t)h->e_shnum * sizeof(*section)))
		return;
	section = (const Elf64_Shdr *)(m->file + h->e_shoff);
	for (unsigned i = 0; i < h->e_shnum; i++) {
		const Elf64_Shdr *t = &section[i], *names;

		if (t->sh_type != SHT_SYMTAB || t->sh_link >= h->e_shnum || t->sh_offset % 8)
			continue;
		names = &section[t->sh_link];
		if (!inside(m, t->sh_offset, t->sh_size) || !inside(m, names->sh_offset, names->sh_size) ||
		    !names->sh_size)
			continue;
		m->symbol = (const Elf64_Sym *)(m->file + t->sh_offset);
		m->symbols = t->sh_size / sizeof(*m->symbol);
		m->names = m->file + names->sh_offset;
		m->names_size = names->sh_size;
		return;
	}
}

static void map_file(struct module *m, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *p;

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			m->file = p;
			m->size = (size_t)st.st_size;
			find_table(m);
		}
	}
	close(fd);
}

static const char *name_in(const struct module *m, uintptr_t address, uintptr_t *start)
{
	uintptr_t at = address - m->base;

	for (size_t i = 0; i < m->symbols; i++) {
		const Elf64_Sym *y = &m->symbol[i];

		if (ELF64_ST_TYPE(y->st_info) == STT_FUNC && at - y->st_value < y->st_size &&
		    y->st_name < m->names_size) {
			*start = m->base + y->st_value;
			return m->names + y->st_name;
		}
	}
	return NULL;
}

/* ---- which file an address is of ---- */

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct wanted *w = arg;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_LOAD || w->address - info->dlpi_addr - h->p_vaddr >= h->p_memsz)
			continue;
		w->base = info->dlpi_addr;
		strncpy(w->path, info->dlpi_name, sizeof(w->path) - 1);
		w->found = true;
		return 1;
	}
	return 0;
}

static struct module *module_of(struct symbols *s, uintptr_t address)
{
	struct wanted *w = &s->wanted;
	struct module *m;
	ssize_t n;

	*w = (struct wanted){.address = address};
	dl_iterate_phdr(look_at, w);
	if (!w->found)
		return NULL;
	for (unsigned i = 0; i < s->modules; i++)
		if (s->module[i].base == w->base)
			return &s->module[i];
	if (s->modules == MODULES)
		return NULL;
	m = &s->module[s->modules++];
	m->base = w->base;
	if (w->path[0]) {
		strcpy(m->path, w->path);
		map_file(m, m->path);
	} else {
		/* the program itself, which may have been removed meanwhile, as its main pthread may have */
		map_file(m, "/proc/thread-self/exe");
		n = readlink("/proc/thread-self/exe", m->path, sizeof(m->path) - 1);
		m->path[n > 0 ? n : 0] = 0;
	}
	return m;
}

static const struct known *look_up(struct symbols *s, uintptr_t address)
{
	struct known *k = &s->known[(address * 0x9e3779b97f4a7c15u) >> 32 & (KNOWN - 1)];
	Dl_info info;

	if (k->address == address)
		return k;
	*k = (struct known){.address = address, .module = module_of(s, address)};
	if (k->module)
		k->name = name_in(k->module, address, &k->start);
	if (!k->name && dladdr((void *)address, &info) && info.dli_sname) {
		k->name = info.dli_sname;
		k->start = (uintptr_t)info.dli_saddr;
	}
	return k;
}

void symbols_put(struct symbols *s, struct text *to, uintptr_t address, int call)
{
	const struct known *k = look_up(s, address - (call ? 1 : 0));

	text_put(to, "%#018lx ", (unsigned long)address);
	if (k->name)
		text_put(to, "%.*s+%#lx ", NAME_MOST, k->name, (unsigned long)(address - k->start));
	if (k->module)
		text_put(to, "(%.*s+%#lx)", NAME_MOST, k->module->path, (unsigned long)(address - k->module->base));
	else
		text_put(to, "(?)");
}
