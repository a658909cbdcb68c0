/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing and normalising: every variant makes the bytes of the scalar one, and writes no other.
 * Inputs end where their block of memory ends, so that the address sanitizer sees what reads on. */
#include "kernel_testing.h"

enum { ROUNDS = 400, GUARD = 0xa5, MARGIN = 80 };

/* ---- Memory ---- */

typedef struct block {
    uint8_t *memory; /* owned */
    void *data;
    size_t bytes;
} block;

/* `bytes` of noise, `shift` bytes off the alignment, and nothing behind. */
static block input_create(fv_random *r, size_t bytes, size_t shift)
{
    block b = { .memory = malloc(bytes + shift), .bytes = bytes };
    assert_non_null(b.memory);
    b.data = b.memory + shift;
    for (size_t i = 0; i < bytes; i++) b.memory[shift + i] = (uint8_t)fv_random_u32(r);
    return b;
}

static block output_create(size_t bytes, size_t shift)
{
    block b = { .memory = malloc(bytes + shift + (size_t)2 * MARGIN), .bytes = bytes };
    assert_non_null(b.memory);
    memset(b.memory, GUARD, bytes + shift + (size_t)2 * MARGIN);
    b.data = b.memory + MARGIN + shift;
    return b;
}

static void assert_margins(const block *b, const char *what)
{
    const uint8_t *data = b->data;
    for (int i = 1; i <= MARGIN; i++) {
        if (data[-i] != GUARD) fail_msg("%s: wrote %d bytes before its output", what, i);
        if (data[b->bytes + (size_t)i - 1] != GUARD)
            fail_msg("%s: wrote %d bytes behind its output", what, i);
    }
}

static void assert_same(const block *a, const block *b, const char *what)
{
    const uint8_t *x = a->data, *y = b->data;
    assert_margins(a, what);
    assert_margins(b, what);
    for (size_t i = 0; i < a->bytes; i++)
        if (x[i] != y[i]) fail_msg("%s: byte %zu of %zu: %d and %d", what, i, a->bytes, x[i], y[i]);
}

static size_t random_shift(fv_random *r) { return (size_t)fv_random_int(r, 0, 17); }

static size_t random_size(fv_random *r, size_t limit)
{
    const int most = fv_random_int(r, 0, 2) ? (int)limit / 8 + 1 : (int)limit;
    return (size_t)fv_random_int(r, 1, most);
}

static fv_kernels scalar_kernels(void)
{
    fv_kernels k;
    fv_kernels_init(&k, FV_CPU_SCALAR);
    return k;
}

static fv_random stream_of(const char *name)
{
    return fv_random_stream(1, FV_RANDOM_TEST, 0, fv_random_hash(name));
}

/* ---- Any number of pixels ---- */

enum { MOST_OUTPUTS = 90, MOST_TAPS = 24 };

typedef struct axis_memory {
    int begin[MOST_OUTPUTS], taps[MOST_OUTPUTS];
    int16_t high[MOST_OUTPUTS * MOST_TAPS], low[MOST_OUTPUTS * MOST_TAPS];
} axis_memory;

/* Weights that sum up to about one, some below zero; `in` inputs from number `origin` on. */
static fv_resample_axis random_axis(fv_random *r, axis_memory *m, int in, int origin, bool same)
{
    memset(m, 0, sizeof(*m));
    const int most = fv_min(in, MOST_TAPS - 1), fours = most / 4 * 4;
    fv_resample_axis a = { .count = fv_random_int(r, 1, MOST_OUTPUTS),
                           .width = MOST_TAPS,
                           .begin = m->begin,
                           .taps = m->taps,
                           .high = m->high,
                           .low = m->low };
    if (same && fours) a.same = 4 * fv_random_int(r, 1, fv_random_int(r, 0, 1) ? 1 : fours / 4);
    for (int i = 0; i < a.count; i++) {
        m->taps[i] = a.same ? a.same : fv_random_int(r, 1, most);
        m->begin[i] = origin + fv_random_int(r, 0, in - m->taps[i]);
        for (int t = 0; t < m->taps[i]; t++) {
            const int w = fv_random_int(r, -(1 << 20), 3 << 20) / m->taps[i] * 2;
            m->low[i * a.width + t] = (int16_t)(w & 4095);
            m->high[i * a.width + t] = (int16_t)((w - (w & 4095)) / 4096);
        }
    }
    return a;
}

static void check_resample_rows(const fv_kernels *k, fv_random *r)
{
    static axis_memory memory;
    const int pixels = (int)random_size(r, 200), rows = fv_random_int(r, 1, 11);
    const int origin = fv_random_int(r, 0, 5), gap = fv_random_int(r, 0, 9);
    const fv_resample_axis axis = random_axis(r, &memory, pixels, origin, fv_random_int(r, 0, 3));
    const int in_stride = pixels * 3 + gap, out_stride = axis.count * 3;
    const size_t shift = random_shift(r), bytes = (size_t)rows * (size_t)out_stride;
    block in = input_create(r, (size_t)(rows * in_stride - gap), shift);
    block expected = output_create(bytes, shift), actual = output_create(bytes, shift);
    fv_resample job = { .axis = &axis,
                        .in = in.data,
                        .in_stride = in_stride,
                        .origin = origin,
                        .out = expected.data,
                        .out_stride = out_stride,
                        .rows = rows };
    const fv_kernels scalar = scalar_kernels();
    scalar.resample_rows(&job);
    job.out = actual.data;
    k->resample_rows(&job);
    assert_same(&expected, &actual, "resample_rows");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

static void check_resample_columns(const fv_kernels *k, fv_random *r)
{
    static axis_memory memory;
    const int rows = fv_random_int(r, 1, 40), origin = fv_random_int(r, 0, 5);
    const fv_resample_axis axis = random_axis(r, &memory, rows, origin, fv_random_int(r, 0, 1));
    const size_t bytes = random_size(r, 500), shift = random_shift(r);
    const size_t in_stride = bytes + (size_t)fv_random_int(r, 0, 9);
    block in = input_create(r, ((size_t)rows - 1) * in_stride + bytes, shift);
    block expected = output_create((size_t)axis.count * bytes, shift);
    block actual = output_create((size_t)axis.count * bytes, random_shift(r));
    fv_resample job = { .axis = &axis,
                        .in = in.data,
                        .in_stride = (ptrdiff_t)in_stride,
                        .origin = origin,
                        .out = expected.data,
                        .out_stride = (ptrdiff_t)bytes,
                        .bytes = bytes };
    const fv_kernels scalar = scalar_kernels();
    scalar.resample_columns(&job);
    job.out = actual.data;
    k->resample_columns(&job);
    assert_same(&expected, &actual, "resample_columns");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

/* By hand: weights 1/4, 1/2, 1/4 and 5/4, -1/4; halves are rounded up, what is below 0 or above 255
 * is cut off. */
static void test_resample_definition(void **state)
{
    const fv_kernels k = kernels_of(state);
    static const uint8_t in[4][3] = {
        { 0, 10, 255 }, { 1, 20, 255 }, { 4, 40, 0 }, { 200, 0, 255 }
    };
    static const int begin[] = { 0, 2 }, taps[] = { 3, 2 };
    static const int16_t high[] = { 256, 512, 256, 0, 1280, -256, 0, 0 }, low[8] = { 0 };
    const fv_resample_axis axis = {
        .count = 2, .width = 4, .begin = begin, .taps = taps, .high = high, .low = low
    };
    uint8_t out[2][3];
    const fv_resample rows = {
        .axis = &axis, .in = in[0], .in_stride = 12, .out = out[0], .rows = 1
    };
    k.resample_rows(&rows);
    static const uint8_t expected[2][3] = { { 2, 23, 191 }, { 0, 50, 0 } };
    assert_memory_equal(out, expected, sizeof(expected));
    const fv_resample columns = {
        .axis = &axis, .in = in[0], .in_stride = 3, .out = out[0], .out_stride = 3, .bytes = 3
    };
    k.resample_columns(&columns);
    assert_memory_equal(out, expected, sizeof(expected));
}

/* ---- Two or four pixels ---- */

typedef struct stencil_memory {
    int index[MOST_OUTPUTS * FV_STENCIL_TAPS];
    int16_t weights[MOST_OUTPUTS * FV_STENCIL_TAPS];
} stencil_memory;

static fv_stencil random_stencil(fv_random *r, stencil_memory *m, int pixels, int taps)
{
    fv_stencil s = { .count = fv_random_int(r, 1, MOST_OUTPUTS),
                     .pixels = pixels,
                     .index = m->index,
                     .weights = m->weights };
    const float scale = (float)pixels / (float)s.count;
    const int before = taps == 4 ? 1 : 0;
    for (int x = 0; x < s.count; x++)
        for (int t = 0; t < FV_STENCIL_TAPS; t++) {
            const int i = (int)floorf(((float)x + 0.5f) * scale - 0.5f) - before + t;
            m->index[x * FV_STENCIL_TAPS + t] = fv_max(0, fv_min(pixels - 1, i));
            m->weights[x * FV_STENCIL_TAPS + t] =
                (int16_t)(taps == 4 ? fv_random_int(r, -500, 2300) : fv_random_int(r, 0, 1024));
        }
    return s;
}

static void check_stencil(const fv_kernels *k, fv_random *r)
{
    static stencil_memory memory;
    const int taps = fv_random_int(r, 0, 1) ? 4 : 2, pixels = (int)random_size(r, 300);
    fv_stencil s = random_stencil(r, &memory, pixels, taps);
    const size_t number = taps == 4 ? sizeof(int32_t) : sizeof(int16_t);
    const size_t bytes = (size_t)s.count * 3 * number, shift = number * random_shift(r);
    block in = input_create(r, (size_t)pixels * 3, random_shift(r));
    block expected = output_create(bytes, shift), actual = output_create(bytes, shift);
    const fv_kernels scalar = scalar_kernels();
    s.in = in.data;
    if (taps == 4) {
        scalar.cubic_row(&s, expected.data);
        k->cubic_row(&s, actual.data);
    } else {
        scalar.linear_row(&s, expected.data);
        k->linear_row(&s, actual.data);
    }
    assert_same(&expected, &actual, taps == 4 ? "cubic_row" : "linear_row");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

static void check_linear_blend(const fv_kernels *k, fv_random *r)
{
    const size_t bytes = random_size(r, 900), shift = random_shift(r);
    block top = input_create(r, bytes * sizeof(int16_t), 2 * random_shift(r));
    block bottom = input_create(r, bytes * sizeof(int16_t), 2 * random_shift(r));
    for (size_t i = 0; i < 2 * bytes; i++) {
        int16_t *sums = i < bytes ? top.data : bottom.data;
        sums[i % bytes] = (int16_t)fv_random_int(r, 0, 255 * 128);
    }
    block expected = output_create(bytes, shift), actual = output_create(bytes, shift);
    fv_linear_blend job = { .top = top.data,
                            .bottom = bottom.data,
                            .b0 = fv_random_int(r, 0, 2048),
                            .out = expected.data,
                            .bytes = bytes };
    job.b1 = 2048 - job.b0;
    const fv_kernels scalar = scalar_kernels();
    scalar.linear_blend(&job);
    job.out = actual.data;
    k->linear_blend(&job);
    assert_same(&expected, &actual, "linear_blend");
    free(top.memory);
    free(bottom.memory);
    free(expected.memory);
    free(actual.memory);
}

static void check_cubic_blend(const fv_kernels *k, fv_random *r)
{
    const size_t bytes = random_size(r, 900), shift = random_shift(r);
    int16_t weights[FV_STENCIL_TAPS];
    block rows[FV_STENCIL_TAPS];
    fv_cubic_blend job = { .weights = weights, .bytes = bytes };
    for (int t = 0; t < FV_STENCIL_TAPS; t++) {
        weights[t] =
            (int16_t)(t == 1 || t == 2 ? fv_random_int(r, 0, 1150) : fv_random_int(r, -400, 0));
        rows[t] = input_create(r, bytes * sizeof(int32_t), 4 * random_shift(r));
        int32_t *sums = rows[t].data;
        for (size_t i = 0; i < bytes; i++) sums[i] = fv_random_int(r, -90000, 700000);
        job.rows[t] = sums;
    }
    job.in_float = (size_t)fv_random_int(r, 0, (int)bytes + 9);
    block expected = output_create(bytes, shift), actual = output_create(bytes, shift);
    const fv_kernels scalar = scalar_kernels();
    job.out = expected.data;
    scalar.cubic_blend(&job);
    job.out = actual.data;
    k->cubic_blend(&job);
    assert_same(&expected, &actual, "cubic_blend");
    for (int t = 0; t < FV_STENCIL_TAPS; t++) free(rows[t].memory);
    free(expected.memory);
    free(actual.memory);
}

/* ---- Areas ---- */

static void check_area_blocks(const fv_kernels *k, fv_random *r)
{
    fv_area_blocks job = { .count = fv_random_int(r, 1, 40),
                           .across = fv_random_int(r, 1, 5),
                           .down = fv_random_int(r, 1, 5) };
    if (fv_random_int(r, 0, 3) == 0) job.across = job.down = 2;
    if (fv_random_int(r, 0, 9) == 0) {
        job.count = fv_random_int(r, 1, 3);
        job.across = fv_random_int(r, 330, 800); /* around the vector code's room for sums */
    }
    const size_t row = (size_t)(job.count * job.across) * 3, shift = random_shift(r);
    job.in_stride = (ptrdiff_t)row + fv_random_int(r, 0, 9);
    block in = input_create(r, (size_t)((job.down - 1) * job.in_stride) + row, random_shift(r));
    block expected = output_create((size_t)job.count * 3, shift);
    block actual = output_create((size_t)job.count * 3, shift);
    const fv_kernels scalar = scalar_kernels();
    job.in = in.data;
    job.out = expected.data;
    scalar.area_blocks(&job);
    job.out = actual.data;
    k->area_blocks(&job);
    assert_same(&expected, &actual, "area_blocks");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

static void check_area_row(const fv_kernels *k, fv_random *r)
{
    enum { SHARES = 200 };
    static fv_area_share shares[SHARES];
    const int pixels = (int)random_size(r, 150), count = fv_random_int(r, 1, SHARES);
    int out = 0;
    for (int i = 0; i < count; i++) {
        shares[i] = (fv_area_share){ out, fv_random_int(r, 0, pixels - 1),
                                     fv_random_uniform(r, 0.0f, 1.0f) };
        if (fv_random_int(r, 0, 2) == 0 && i + 1 < count) out++;
    }
    const size_t bytes = (size_t)(out + 1) * 3 * sizeof(float), shift = 4 * random_shift(r);
    block in = input_create(r, (size_t)pixels * 3, random_shift(r));
    block expected = output_create(bytes, shift), actual = output_create(bytes, shift);
    fv_area_row job = {
        .shares = shares, .count = count, .pixels = pixels, .in = in.data, .out = expected.data
    };
    const fv_kernels scalar = scalar_kernels();
    scalar.area_row(&job);
    job.out = actual.data;
    k->area_row(&job);
    assert_same(&expected, &actual, "area_row");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

static void check_area_sum(const fv_kernels *k, fv_random *r)
{
    const size_t bytes = random_size(r, 300), floats = bytes * sizeof(float);
    const bool out = fv_random_int(r, 0, 1);
    block line = input_create(r, floats, 4 * random_shift(r));
    block sums[2], outs[2];
    for (int i = 0; i < 2; i++) {
        sums[i] = output_create(floats, 4 * random_shift(r));
        outs[i] = output_create(bytes, random_shift(r));
    }
    for (size_t i = 0; i < bytes; i++) {
        const float so_far = fv_random_uniform(r, -5.0f, 200.0f);
        ((float *)line.data)[i] = fv_random_uniform(r, -5.0f, 300.0f);
        for (int v = 0; v < 2; v++) ((float *)sums[v].data)[i] = so_far;
    }
    fv_area_sum job = { .line = line.data,
                        .part = fv_random_uniform(r, 0.0f, 1.0f),
                        .first = fv_random_int(r, 0, 1),
                        .bytes = bytes };
    const fv_kernels scalar = scalar_kernels();
    for (int v = 0; v < 2; v++) {
        job.sum = sums[v].data;
        job.out = out ? outs[v].data : NULL;
        (v ? k->area_sum : scalar.area_sum)(&job);
    }
    assert_same(&sums[0], &sums[1], "area_sum");
    assert_same(&outs[0], &outs[1], "area_sum");
    for (int v = 0; v < 2; v++) free(sums[v].memory);
    for (int v = 0; v < 2; v++) free(outs[v].memory);
    free(line.memory);
}

/* ---- To floats ---- */

static void check_normalize(const fv_kernels *k, fv_random *r)
{
    fv_normalize job = { .width = (int)random_size(r, 250),
                         .height = fv_random_int(r, 1, 4),
                         .mirror = fv_random_int(r, 0, 1),
                         .swap = fv_random_int(r, 0, 1),
                         .factor = fv_random_uniform(r, 0.001f, 0.01f) };
    for (int c = 0; c < 3; c++) {
        job.mean[c] = fv_random_uniform(r, 0.0f, 1.0f);
        job.std[c] = fv_random_uniform(r, 0.1f, 1.0f);
    }
    const size_t row = (size_t)job.width * 3, shift = 4 * random_shift(r);
    const size_t stride = row + (size_t)fv_random_int(r, 0, 9);
    const size_t last = (size_t)(job.height - 1) * stride, floats = row * (size_t)job.height;
    block in = input_create(r, last + row, random_shift(r));
    block expected = output_create(floats * sizeof(float), shift);
    block actual = output_create(floats * sizeof(float), shift);
    const bool upside_down = fv_random_int(r, 0, 1);
    job.in = (uint8_t *)in.data + (upside_down ? last : 0);
    job.in_stride = upside_down ? -(ptrdiff_t)stride : (ptrdiff_t)stride;
    const fv_kernels scalar = scalar_kernels();
    job.out = expected.data;
    scalar.normalize(&job);
    job.out = actual.data;
    k->normalize(&job);
    assert_same(&expected, &actual, "normalize");
    free(in.memory);
    free(expected.memory);
    free(actual.memory);
}

static void test_normalize_definition(void **state)
{
    const fv_kernels k = kernels_of(state);
    static const uint8_t in[6] = { 0, 51, 255, 102, 153, 204 };
    float out[6];
    const fv_normalize job = { .width = 2,
                               .height = 1,
                               .in = in,
                               .in_stride = 6,
                               .mirror = true,
                               .swap = true,
                               .factor = 1.0f / 255.0f,
                               .mean = { 0.5f, 0.25f, 0.0f },
                               .std = { 0.5f, 0.25f, 2.0f },
                               .out = out };
    k.normalize(&job);
    static const double expected[6] = { 0.6, 1.4, 0.2, 1.0, -0.2, 0.0 };
    for (int i = 0; i < 6; i++)
        assert_near(expected[i], out[i], 2.0, 4.0, "normalize", i / 3, i % 3);
}

/* ---- All ---- */

#define TEST(name) \
    static void test_##name(void **state) \
    { \
        const fv_kernels k = kernels_of(state); \
        fv_random r = stream_of(#name); \
        for (int i = 0; i < ROUNDS; i++) check_##name(&k, &r); \
    }

TEST(resample_rows)
TEST(resample_columns)
TEST(stencil)
TEST(linear_blend)
TEST(cubic_blend)
TEST(area_blocks)
TEST(area_row)
TEST(area_sum)
TEST(normalize)

int main(void)
{
    static const kernel_test tests[] = {
        { "resample_definition", test_resample_definition },
        { "resample_rows", test_resample_rows },
        { "resample_columns", test_resample_columns },
        { "stencil", test_stencil },
        { "linear_blend", test_linear_blend },
        { "cubic_blend", test_cubic_blend },
        { "area_blocks", test_area_blocks },
        { "area_row", test_area_row },
        { "area_sum", test_area_sum },
        { "normalize_definition", test_normalize_definition },
        { "normalize", test_normalize },
    };
    return kernel_tests_run(tests, FV_ARRAY_LEN(tests));
}
