/* SPDX-License-Identifier: MIT */
/*
 * symbol.h - names for addresses of code: from the symbol tables of the files
 * that are mapped (.symtab, which knows static functions too; when a file was
 * stripped of it, what it exports). One pthread at a time. Nothing of it calls malloc.
 */
#ifndef PERCH_SEE_SYMBOL_H
#define PERCH_SEE_SYMBOL_H

#include <stdint.h>

#include "core/see/text.h"

struct symbols; /* the files that were looked into */

struct symbols *symbols_new(void); /* NULL: no memory */
void symbols_free(struct symbols *s);

/* "0x5581... function+0x1f (/path/of/module+0x11f)": of the latter, addr2line -e
 * knows the line. call: the address is behind a call. */
void symbols_put(struct symbols *s, struct text *to, uintptr_t address, int call);

#endif
