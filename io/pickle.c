/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pickle.h"

#include "base/compiler.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A checkpoint of the largest model with its optimiser stays far below. */
enum { MAX_STEPS = 8 << 20, MAX_VALUES = 1 << 20, MAX_MEMO = 1 << 20, MAX_STACK = 1 << 20 };

typedef fv_pickle_value value;

/* A growing array of values; NULL is a mark on the stack, or an empty place of the memo. */
typedef struct values {
    value **at;
    int count, room;
} values;

typedef struct machine {
    fv_arena *arena;
    const char *where;
    const unsigned char *begin, *at, *end;
    const fv_pickle_global *globals;
    values stack, memo;
    int made; /* values */
    int arg;  /* of the opcode: a size in bytes, a count, a kind or a truth */
    bool stopped;
    fv_error *err;
} machine;

/* ---- Failing ---- */

static fv_status FV_PRINTF(2, 3) fail(const machine *m, const char *format, ...)
{
    char what[320];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return fv_fail(m->err, FV_ERR_FORMAT, "%s: pickle, byte %td: %s", m->where, m->at - m->begin,
                   what);
}

static fv_status no_memory(const machine *m)
{
    return fv_fail(m->err, FV_ERR_NOMEM, "%s: out of memory for the pickle", m->where);
}

/* ---- Memory ---- */

/* Arenas give nothing back: what is left behind is less than what is there at the end. */
static fv_status reserve(machine *m, value ***at, int *room, int count)
{
    if (count <= *room) return FV_OK;
    const int more = fv_max(count, *room ? 2 * *room : 8);
    value **moved = fv_arena_alloc(m->arena, (size_t)more * sizeof(value *));
    if (!moved) return no_memory(m);
    if (*room) memcpy(moved, *at, (size_t)*room * sizeof(value *));
    *at = moved;
    *room = more;
    return FV_OK;
}

static fv_status push(machine *m, value *v)
{
    if (m->stack.count >= MAX_STACK) return fail(m, "more than %d values wait", MAX_STACK);
    FV_TRY(reserve(m, &m->stack.at, &m->stack.room, m->stack.count + 1));
    m->stack.at[m->stack.count++] = v;
    return FV_OK;
}

static fv_status create(machine *m, fv_pickle_kind kind, value **out)
{
    if (m->made++ >= MAX_VALUES) return fail(m, "more than %d values", MAX_VALUES);
    *out = fv_arena_alloc(m->arena, sizeof(**out));
    if (!*out) return no_memory(m);
    (*out)->kind = kind;
    return FV_OK;
}

static fv_status push_new(machine *m, fv_pickle_kind kind, value **out)
{
    FV_TRY(create(m, kind, out));
    return push(m, *out);
}

static fv_status append(machine *m, value *list, value *item)
{
    FV_TRY(reserve(m, &list->items, &list->room, list->count + 1));
    list->items[list->count++] = item;
    return FV_OK;
}

/* ---- The stack ---- */

/* The topmost value, which must be there and be no mark. */
static fv_status top(machine *m, value **out)
{
    if (m->stack.count == 0) return fail(m, "a value is missing");
    *out = m->stack.at[m->stack.count - 1];
    return *out ? FV_OK : fail(m, "a mark where a value belongs");
}

static fv_status pop(machine *m, value **out)
{
    FV_TRY(top(m, out));
    m->stack.count--;
    return FV_OK;
}

/* Where the topmost mark stands. */
static fv_status find_mark(machine *m, int *at)
{
    int i = m->stack.count - 1;
    while (i >= 0 && m->stack.at[i]) i--;
    if (i < 0) return fail(m, "a mark is missing");
    *at = i;
    return FV_OK;
}

/* ---- Arguments of opcodes ---- */

/* `count` bytes that follow. */
static fv_status take(machine *m, uint64_t count, const unsigned char **out)
{
    const size_t left = (size_t)(m->end - m->at);
    if (count > left) return fail(m, "%" PRIu64 " bytes are announced, %zu are left", count, left);
    *out = m->at;
    m->at += count;
    return FV_OK;
}

/* A number of `size` bytes, the lowest first. */
static fv_status take_number(machine *m, int size, uint64_t *out)
{
    const unsigned char *bytes = NULL;
    FV_TRY(take(m, (uint64_t)size, &bytes));
    *out = 0;
    for (int i = 0; i < size; i++) *out |= (uint64_t)bytes[i] << (8 * i);
    return FV_OK;
}

/* Up to the next line feed, which is taken too. */
static fv_status take_line(machine *m, const unsigned char **line, size_t *length)
{
    const unsigned char *feed = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!feed) return fail(m, "a line without an end");
    *length = (size_t)(feed - m->at);
    FV_TRY(take(m, *length + 1, line));
    return FV_OK;
}

/* ---- Opcodes ---- */

typedef fv_status opcode_fn(machine *m);

static fv_status do_proto(machine *m)
{
    uint64_t version = 0;
    FV_TRY(take_number(m, 1, &version));
    if (version < 2 || version > 5) return fail(m, "protocol %d, not 2 to 5", (int)version);
    return FV_OK;
}

static fv_status do_frame(machine *m)
{
    uint64_t size = 0;
    FV_TRY(take_number(m, 8, &size));
    const size_t left = (size_t)(m->end - m->at);
    return size <= left ? FV_OK : fail(m, "a frame beyond the end");
}

static fv_status do_stop(machine *m)
{
    m->stopped = true;
    return m->stack.count == 1 ? FV_OK : fail(m, "it ends with %d values, not one", m->stack.count);
}

static fv_status do_mark(machine *m) { return push(m, NULL); }

static fv_status do_bool(machine *m)
{
    value *v = NULL;
    FV_TRY(push_new(m, FV_PICKLE_BOOL, &v));
    v->integer = m->arg;
    return FV_OK;
}

static fv_status do_int(machine *m)
{
    value *v = NULL;
    uint64_t bits = 0;
    FV_TRY(take_number(m, m->arg, &bits));
    FV_TRY(push_new(m, FV_PICKLE_INT, &v));
    v->integer = m->arg == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits;
    return FV_OK;
}

/* Two's complement, of as many bytes as its first byte says. */
static fv_status do_long(machine *m)
{
    value *v = NULL;
    uint64_t size = 0, bits = 0;
    FV_TRY(take_number(m, 1, &size));
    if (size > 8) return fail(m, "an integer of %d bytes, above 8", (int)size);
    FV_TRY(take_number(m, (int)size, &bits));
    if (size > 0 && size < 8 && bits >> (8 * size - 1)) bits |= ~UINT64_C(0) << (8 * size);
    FV_TRY(push_new(m, FV_PICKLE_INT, &v));
    v->integer = (int64_t)bits;
    return FV_OK;
}

static fv_status do_float(machine *m)
{
    value *v = NULL;
    const unsigned char *bytes = NULL;
    uint64_t bits = 0;
    FV_TRY(take(m, 8, &bytes));
    for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
    FV_TRY(push_new(m, FV_PICKLE_FLOAT, &v));
    memcpy(&v->real, &bits, sizeof(v->real));
    return FV_OK;
}

static fv_status push_bytes(machine *m, fv_pickle_kind kind, int size_bytes)
{
    value *v = NULL;
    uint64_t size = 0;
    FV_TRY(take_number(m, size_bytes, &size));
    FV_TRY(push_new(m, kind, &v));
    v->bytes.size = (size_t)size;
    return take(m, size, &v->bytes.data);
}

static fv_status do_text(machine *m) { return push_bytes(m, FV_PICKLE_TEXT, m->arg); }
static fv_status do_bytes(machine *m) { return push_bytes(m, FV_PICKLE_BYTES, m->arg); }

static fv_status do_empty(machine *m)
{
    value *v = NULL;
    return push_new(m, (fv_pickle_kind)m->arg, &v);
}

/* All above the mark, or the topmost `count`, into a tuple. */
static fv_status do_tuple(machine *m)
{
    value *v = NULL;
    int first = m->stack.count - m->arg, mark = 0;
    if (m->arg == 0) {
        FV_TRY(find_mark(m, &mark));
        first = mark + 1;
    }
    if (first < 0) return fail(m, "a value is missing");
    FV_TRY(create(m, FV_PICKLE_TUPLE, &v));
    for (int i = first; i < m->stack.count; i++) {
        if (!m->stack.at[i]) return fail(m, "a mark where a value belongs");
        FV_TRY(append(m, v, m->stack.at[i]));
    }
    m->stack.count = m->arg ? first : mark;
    return push(m, v);
}

/* Appends to a list, or adds to a dict, all that stands from `first` on above it. */
static fv_status add_from(machine *m, int first, fv_pickle_kind kind)
{
    value *target = first > 0 ? m->stack.at[first - 1] : NULL;
    const int count = m->stack.count - first;
    if (!fv_pickle_is(target, kind))
        return fail(m, "something is put into what is no %s",
                    kind == FV_PICKLE_DICT ? "dict" : "list");
    if (kind == FV_PICKLE_DICT && count % 2) return fail(m, "a key without a value");
    for (int i = first; i < m->stack.count; i++) {
        if (!m->stack.at[i]) return fail(m, "a mark where a value belongs");
        FV_TRY(append(m, target, m->stack.at[i]));
    }
    m->stack.count = first;
    return FV_OK;
}

static fv_status do_add(machine *m)
{
    const int count = m->arg == FV_PICKLE_DICT ? 2 : 1;
    if (m->stack.count < count) return fail(m, "a value is missing");
    return add_from(m, m->stack.count - count, (fv_pickle_kind)m->arg);
}

static fv_status do_add_all(machine *m)
{
    int mark = 0;
    FV_TRY(find_mark(m, &mark));
    for (int i = mark; i + 1 < m->stack.count; i++) m->stack.at[i] = m->stack.at[i + 1];
    m->stack.count--;
    return add_from(m, mark, (fv_pickle_kind)m->arg);
}

/* ---- Memo ---- */

static fv_status remember(machine *m, uint64_t index)
{
    value *v = NULL;
    FV_TRY(top(m, &v));
    if (index >= MAX_MEMO) return fail(m, "memo %" PRIu64 " is beyond %d", index, MAX_MEMO);
    FV_TRY(reserve(m, &m->memo.at, &m->memo.room, (int)index + 1));
    m->memo.at[index] = v;
    m->memo.count = fv_max(m->memo.count, (int)index + 1);
    return FV_OK;
}

static fv_status do_put(machine *m)
{
    uint64_t index = 0;
    FV_TRY(take_number(m, m->arg, &index));
    return remember(m, index);
}

/* The next place; Python counts the entries, which are dense where this opcode is used. */
static fv_status do_memoize(machine *m) { return remember(m, (uint64_t)m->memo.count); }

static fv_status do_get(machine *m)
{
    uint64_t index = 0;
    FV_TRY(take_number(m, m->arg, &index));
    if (index >= (uint64_t)m->memo.count || !m->memo.at[index])
        return fail(m, "memo %" PRIu64 " is empty", index);
    return push(m, m->memo.at[index]);
}

/* ---- Globals and calls ---- */

/* A name in a message: printable, and cut where it gets long. */
static const char *show(char out[80], const unsigned char *text, size_t length)
{
    const size_t n = length < 79 ? length : 79;
    for (size_t i = 0; i < n; i++) out[i] = text[i] > ' ' && text[i] < 0x7f ? (char)text[i] : '?';
    out[n] = '\0';
    return out;
}

static bool equals(const unsigned char *text, size_t length, const char *other)
{
    return length == strlen(other) && memcmp(text, other, length) == 0;
}

static fv_status push_global(machine *m, const unsigned char *module, size_t module_length,
                             const unsigned char *name, size_t name_length)
{
    value *v = NULL;
    char a[80], b[80];
    const fv_pickle_global *g = m->globals;
    while (g->module &&
           !(equals(module, module_length, g->module) && equals(name, name_length, g->name)))
        g++;
    if (!g->module)
        return fail(m, "it asks for %s.%s, which weights do not need: save the state_dict alone",
                    show(a, module, module_length), show(b, name, name_length));
    FV_TRY(push_new(m, FV_PICKLE_GLOBAL, &v));
    v->id = g->id;
    return FV_OK;
}

static fv_status do_global(machine *m)
{
    const unsigned char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    FV_TRY(take_line(m, &module, &module_length));
    FV_TRY(take_line(m, &name, &name_length));
    return push_global(m, module, module_length, name, name_length);
}

static fv_status do_stack_global(machine *m)
{
    value *module = NULL, *name = NULL;
    FV_TRY(pop(m, &name));
    FV_TRY(pop(m, &module));
    if (module->kind != FV_PICKLE_TEXT || name->kind != FV_PICKLE_TEXT)
        return fail(m, "the name of a global is no text");
    return push_global(m, module->bytes.data, module->bytes.size, name->bytes.data,
                       name->bytes.size);
}

static fv_status do_reduce(machine *m)
{
    value *arguments = NULL, *callable = NULL, *v = NULL;
    FV_TRY(pop(m, &arguments));
    FV_TRY(pop(m, &callable));
    if (arguments->kind != FV_PICKLE_TUPLE || callable->kind != FV_PICKLE_GLOBAL)
        return fail(m, "a call of what cannot be called");
    if (callable->id == FV_PICKLE_MAKES_DICT) {
        if (arguments->count) return fail(m, "a dict that begins with arguments is not read");
        return push_new(m, FV_PICKLE_DICT, &v);
    }
    FV_TRY(push_new(m, FV_PICKLE_OBJECT, &v));
    v->id = callable->id;
    FV_TRY(append(m, v, arguments));
    return append(m, v, NULL);
}

static fv_status do_build(machine *m)
{
    value *state = NULL, *target = NULL;
    FV_TRY(pop(m, &state));
    FV_TRY(top(m, &target));
    if (target->kind == FV_PICKLE_DICT) return FV_OK;
    if (target->kind != FV_PICKLE_OBJECT) return fail(m, "a state for what has none");
    target->items[1] = state;
    return FV_OK;
}

static fv_status do_outside(machine *m)
{
    value *id = NULL, *v = NULL;
    FV_TRY(pop(m, &id));
    FV_TRY(push_new(m, FV_PICKLE_OUTSIDE, &v));
    return append(m, v, id);
}

/* ---- All opcodes ---- */

typedef struct opcode {
    const char *name;
    opcode_fn *run; /* NULL: known to Python, refused here */
    int arg;
} opcode;

/* clang-format off */
static const opcode opcodes[256] = {
    [0x80] = { "PROTO", do_proto, 0 },            [0x95] = { "FRAME", do_frame, 0 },
    ['.'] = { "STOP", do_stop, 0 },               ['('] = { "MARK", do_mark, 0 },
    [0x88] = { "NEWTRUE", do_bool, 1 },           [0x89] = { "NEWFALSE", do_bool, 0 },
    ['K'] = { "BININT1", do_int, 1 },             ['M'] = { "BININT2", do_int, 2 },
    ['J'] = { "BININT", do_int, 4 },              [0x8a] = { "LONG1", do_long, 0 },
    [0x8c] = { "SHORT_BINUNICODE", do_text, 1 },  ['X'] = { "BINUNICODE", do_text, 4 },
    [0x8d] = { "BINUNICODE8", do_text, 8 },       ['N'] = { "NONE", do_empty, FV_PICKLE_NONE },
    ['U'] = { "SHORT_BINSTRING", do_bytes, 1 },   ['T'] = { "BINSTRING", do_bytes, 4 },
    ['C'] = { "SHORT_BINBYTES", do_bytes, 1 },    ['B'] = { "BINBYTES", do_bytes, 4 },
    [0x8e] = { "BINBYTES8", do_bytes, 8 },        [0x96] = { "BYTEARRAY8", do_bytes, 8 },
    [']'] = { "EMPTY_LIST", do_empty, FV_PICKLE_LIST },
    ['}'] = { "EMPTY_DICT", do_empty, FV_PICKLE_DICT },
    [')'] = { "EMPTY_TUPLE", do_empty, FV_PICKLE_TUPLE },
    ['t'] = { "TUPLE", do_tuple, 0 },             [0x85] = { "TUPLE1", do_tuple, 1 },
    [0x86] = { "TUPLE2", do_tuple, 2 },           [0x87] = { "TUPLE3", do_tuple, 3 },
    ['a'] = { "APPEND", do_add, FV_PICKLE_LIST }, ['e'] = { "APPENDS", do_add_all, FV_PICKLE_LIST },
    ['s'] = { "SETITEM", do_add, FV_PICKLE_DICT }, ['u'] = { "SETITEMS", do_add_all, FV_PICKLE_DICT },
    ['q'] = { "BINPUT", do_put, 1 },              ['r'] = { "LONG_BINPUT", do_put, 4 },
    ['h'] = { "BINGET", do_get, 1 },              ['j'] = { "LONG_BINGET", do_get, 4 },
    [0x94] = { "MEMOIZE", do_memoize, 0 },        ['G'] = { "BINFLOAT", do_float, 0 },
    ['c'] = { "GLOBAL", do_global, 0 },           [0x93] = { "STACK_GLOBAL", do_stack_global, 0 },
    ['R'] = { "REDUCE", do_reduce, 0 },           ['b'] = { "BUILD", do_build, 0 },
    ['Q'] = { "BINPERSID", do_outside, 0 },

    ['0'] = { .name = "POP" }, ['1'] = { .name = "POP_MARK" }, ['2'] = { .name = "DUP" },
    ['F'] = { .name = "FLOAT" }, ['I'] = { .name = "INT" }, ['L'] = { .name = "LONG" },
    ['P'] = { .name = "PERSID" }, ['S'] = { .name = "STRING" }, ['V'] = { .name = "UNICODE" },
    ['d'] = { .name = "DICT" }, ['g'] = { .name = "GET" }, ['i'] = { .name = "INST" },
    ['l'] = { .name = "LIST" }, ['o'] = { .name = "OBJ" }, ['p'] = { .name = "PUT" },
    [0x81] = { .name = "NEWOBJ" }, [0x82] = { .name = "EXT1" }, [0x83] = { .name = "EXT2" },
    [0x84] = { .name = "EXT4" }, [0x8b] = { .name = "LONG4" }, [0x8f] = { .name = "EMPTY_SET" },
    [0x90] = { .name = "ADDITEMS" }, [0x91] = { .name = "FROZENSET" },
    [0x92] = { .name = "NEWOBJ_EX" }, [0x97] = { .name = "NEXT_BUFFER" },
    [0x98] = { .name = "READONLY_BUFFER" },
};
/* clang-format on */

static fv_status step(machine *m)
{
    if (m->at == m->end) return fail(m, "it ends too soon");
    const unsigned char code = *m->at;
    const opcode *o = &opcodes[code];
    if (!o->name) return fail(m, "0x%02x is no opcode", code);
    if (!o->run) return fail(m, "opcode %s is not among those that weights need", o->name);
    m->at++;
    m->arg = o->arg;
    return o->run(m);
}

fv_status fv_pickle_read(fv_pickle_value **out, fv_arena *arena, const char *where,
                         const unsigned char *data, size_t size, const fv_pickle_global *globals,
                         fv_error *err)
{
    machine m = { .arena = arena,
                  .where = where,
                  .begin = data,
                  .at = data,
                  .end = data + size,
                  .globals = globals,
                  .err = err };
    for (int i = 0; !m.stopped; i++) {
        if (i == MAX_STEPS) return fail(&m, "more than %d steps", MAX_STEPS);
        FV_TRY(step(&m));
    }
    return pop(&m, out);
}
