/* SPDX-License-Identifier: Apache-2.0 */
#include "io/foreign_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- MobileNetV2 ---- */

/* timm: blocks.<stage>.<block>; those of the first stage have no expansion. */
/* clang-format off */
static const fv_rename timm_mobilenet_v2[] = {
    { "conv_stem", "conv1._conv" },             { "bn1", "conv1._batch_norm" },
    { "conv_head", "conv9._conv" },             { "bn2", "conv9._batch_norm" },
    { "classifier", "out" },
    { "blocks.0.0.conv_dw", "conv2._first_block._bottleneck_conv._conv" },
    { "blocks.0.0.bn1", "conv2._first_block._bottleneck_conv._batch_norm" },
    { "blocks.0.0.conv_pw", "conv2._first_block._linear_conv._conv" },
    { "blocks.0.0.bn2", "conv2._first_block._linear_conv._batch_norm" },
    { "blocks.{s}.0.{*}", "conv{s+2}._first_block.{*}" },
    { "blocks.{s}.{i}.{*}", "conv{s+2}.conv{s+2}_{i+1}.{*}" },
    { NULL, NULL },
};

static const fv_rename timm_inverted_residual[] = {
    { "{*}.conv_pw", "{*}._expand_conv._conv" },     { "{*}.bn1", "{*}._expand_conv._batch_norm" },
    { "{*}.conv_dw", "{*}._bottleneck_conv._conv" }, { "{*}.bn2", "{*}._bottleneck_conv._batch_norm" },
    { "{*}.conv_pwl", "{*}._linear_conv._conv" },    { "{*}.bn3", "{*}._linear_conv._batch_norm" },
    { NULL, NULL },
};

/* torchvision: features.<n>, counted through all stages. */
static const fv_rename torchvision_mobilenet_v2[] = {
    { "features.0.0", "conv1._conv" },          { "features.0.1", "conv1._batch_norm" },
    { "features.18.0", "conv9._conv" },         { "features.18.1", "conv9._batch_norm" },
    { "classifier.1", "out" },
    { "features.1.conv.0.0", "conv2._first_block._bottleneck_conv._conv" },
    { "features.1.conv.0.1", "conv2._first_block._bottleneck_conv._batch_norm" },
    { "features.1.conv.1", "conv2._first_block._linear_conv._conv" },
    { "features.1.conv.2", "conv2._first_block._linear_conv._batch_norm" },
    { "features.2.{*}", "conv3._first_block.{*}" },
    { "features.3.{*}", "conv3.conv3_2.{*}" },
    { "features.4.{*}", "conv4._first_block.{*}" },
    { "features.5.{*}", "conv4.conv4_2.{*}" },
    { "features.6.{*}", "conv4.conv4_3.{*}" },
    { "features.7.{*}", "conv5._first_block.{*}" },
    { "features.8.{*}", "conv5.conv5_2.{*}" },
    { "features.9.{*}", "conv5.conv5_3.{*}" },
    { "features.10.{*}", "conv5.conv5_4.{*}" },
    { "features.11.{*}", "conv6._first_block.{*}" },
    { "features.12.{*}", "conv6.conv6_2.{*}" },
    { "features.13.{*}", "conv6.conv6_3.{*}" },
    { "features.14.{*}", "conv7._first_block.{*}" },
    { "features.15.{*}", "conv7.conv7_2.{*}" },
    { "features.16.{*}", "conv7.conv7_3.{*}" },
    { "features.17.{*}", "conv8._first_block.{*}" },
    { NULL, NULL },
};

static const fv_rename torchvision_inverted_residual[] = {
    { "{*}.conv.0.0", "{*}._expand_conv._conv" },     { "{*}.conv.0.1", "{*}._expand_conv._batch_norm" },
    { "{*}.conv.1.0", "{*}._bottleneck_conv._conv" }, { "{*}.conv.1.1", "{*}._bottleneck_conv._batch_norm" },
    { "{*}.conv.2", "{*}._linear_conv._conv" },       { "{*}.conv.3", "{*}._linear_conv._batch_norm" },
    { NULL, NULL },
};

/* ---- Res2Net ---- */

/* The third stage of the deep ones, whose blocks are numbered. */
static const fv_rename res2net_numbered[] = {
    { "layer3.0.convs.{k}", "bb_2_0.res4a_branch2b_{k+1}._conv" },
    { "layer3.0.bns.{k}", "bb_2_0.res4a_branch2b_{k+1}._batch_norm" },
    { "layer3.{i}.convs.{k}", "bb_2_{i}.res4b{i}_branch2b_{k+1}._conv" },
    { "layer3.{i}.bns.{k}", "bb_2_{i}.res4b{i}_branch2b_{k+1}._batch_norm" },
    { NULL, NULL },
};

static const fv_rename res2net_stem[] = {
    { "conv1", "conv1._conv" },
    { "bn1", "conv1._batch_norm" },
    { "layer{s}.{i}.downsample.0", "bb_{s-1}_{i}.short._conv" },
    { "layer{s}.{i}.downsample.1", "bb_{s-1}_{i}.short._batch_norm" },
    { NULL, NULL },
};

/* The pool of a shortcut counts as its first layer. */
static const fv_rename res2net_vd_stem[] = {
    { "conv1.0", "conv1_1._conv" }, { "conv1.1", "conv1_1._batch_norm" },
    { "conv1.3", "conv1_2._conv" }, { "conv1.4", "conv1_2._batch_norm" },
    { "conv1.6", "conv1_3._conv" }, { "bn1", "conv1_3._batch_norm" },
    { "layer{s}.{i}.downsample.1", "bb_{s-1}_{i}.short._conv" },
    { "layer{s}.{i}.downsample.2", "bb_{s-1}_{i}.short._batch_norm" },
    { NULL, NULL },
};

static const fv_rename res2net_blocks[] = {
    { "layer{s}.{i}.conv1", "bb_{s-1}_{i}.conv0._conv" },
    { "layer{s}.{i}.bn1", "bb_{s-1}_{i}.conv0._batch_norm" },
    { "layer{s}.{i}.convs.{k}", "bb_{s-1}_{i}.res{s+1}{i:a}_branch2b_{k+1}._conv" },
    { "layer{s}.{i}.bns.{k}", "bb_{s-1}_{i}.res{s+1}{i:a}_branch2b_{k+1}._batch_norm" },
    { "layer{s}.{i}.conv3", "bb_{s-1}_{i}.conv2._conv" },
    { "layer{s}.{i}.bn3", "bb_{s-1}_{i}.conv2._batch_norm" },
    { "fc", "out" },
    { NULL, NULL },
};

static const char res2net_note[] =
    "its first blocks are wired otherwise than PaddleClas's, so that the numbers differ: take it as a "
    "start for training";

/* ---- InceptionV3 ---- */

static const fv_rename inception_v3[] = {
    { "Conv2d_1a_3x3.{*}", "inception_stem.conv_1a_3x3.{*}" },
    { "Conv2d_2a_3x3.{*}", "inception_stem.conv_2a_3x3.{*}" },
    { "Conv2d_2b_3x3.{*}", "inception_stem.conv_2b_3x3.{*}" },
    { "Conv2d_3b_1x1.{*}", "inception_stem.conv_3b_1x1.{*}" },
    { "Conv2d_4a_3x3.{*}", "inception_stem.conv_4a_3x3.{*}" },
    { "Mixed_5b.{*}", "inception_block_list.0.{*}" },
    { "Mixed_5c.{*}", "inception_block_list.1.{*}" },
    { "Mixed_5d.{*}", "inception_block_list.2.{*}" },
    { "Mixed_6a.{*}", "inception_block_list.3.{*}" },
    { "Mixed_6b.{*}", "inception_block_list.4.{*}" },
    { "Mixed_6c.{*}", "inception_block_list.5.{*}" },
    { "Mixed_6d.{*}", "inception_block_list.6.{*}" },
    { "Mixed_6e.{*}", "inception_block_list.7.{*}" },
    { "Mixed_7a.{*}", "inception_block_list.8.{*}" },
    { "Mixed_7b.{*}", "inception_block_list.9.{*}" },
    { "Mixed_7c.{*}", "inception_block_list.10.{*}" },
    { NULL, NULL },
};

static const fv_rename inception_v3_pool[] = {
    { "{*}.branch_pool.conv", "{*}.branch_pool_conv.conv" },
    { "{*}.branch_pool.bn", "{*}.branch_pool_conv.bn" },
    { NULL, NULL },
};

/* ---- All of them ---- */

#define MOBILENET "MobileNetV2*", .identity = "conv2._first_block._expand_conv", .width = "conv1._conv.weight"
/* The authors' files also hold projections of trees of several levels, which nothing reads. */
#define DLA(models_, ...) \
    { .models = models_, .marker = "base_layer.1.running_mean", .program = "timm", .unused = { __VA_ARGS__ } }

const fv_foreign fv_foreign_table[] = {
    { .models = MOBILENET, .marker = "conv_stem.weight", .program = "timm",
      .rules = { timm_mobilenet_v2, timm_inverted_residual } },
    { .models = MOBILENET, .marker = "features.0.0.weight", .program = "torchvision",
      .rules = { torchvision_mobilenet_v2, torchvision_inverted_residual } },
    { .models = "Res2Net50_vd_*", .marker = "conv1.0.weight", .program = "timm", .note = res2net_note,
      .rules = { res2net_vd_stem, res2net_blocks } },
    { .models = "Res2Net*_vd_*", .marker = "conv1.0.weight", .program = "timm", .note = res2net_note,
      .rules = { res2net_vd_stem, res2net_numbered, res2net_blocks } },
    { .models = "Res2Net50_??w_*", .marker = "layer1.0.convs.0.weight", .program = "timm", .note = res2net_note,
      .rules = { res2net_stem, res2net_blocks } },
    { .models = "InceptionV3", .marker = "Conv2d_1a_3x3.conv.weight", .program = "torchvision",
      .note = "its pictures are normalised with mean 0.5 and std 0.5",
      .rules = { inception_v3, inception_v3_pool }, .unused = { "AuxLogits.*" },
      .epsilon = 1e-3, .head = "fc", .kept = 0.8 },
    { .models = "GoogLeNet", .marker = "inception3a.branch1.conv.weight", .program = "torchvision",
      .refused = "it has batch norms, and 3x3 convolutions where PaddleClas's has 5x5" },
    DLA("DLA34", "level[34].project.*"), DLA("DLA46*", "level[34].project.*"),
    DLA("DLA60*", "level[34].project.*", "level4.tree1.project.*"),
    DLA("DLA102*", "level[34].project.*", "level[34].tree1.project.*", "level4.tree1.tree1.project.*"),
    DLA("DLA169", "level[234].project.*", "level[34].tree1.project.*",
        "level4.tree1.tree1.project.*", "level4.tree1.tree1.tree1.project.*"),
    { .models = NULL },
};
/* clang-format on */

/* ---- Rewriting ---- */

enum { LETTERS = 26, MAX_DIGITS = 6 };

/* What a pattern stood for. */
typedef struct captures {
    int numbers[LETTERS];
    const char *rest; /* of {*} */
    size_t rest_length;
} captures;

/* A number without needless zeros; moves `at` behind it. */
static bool take_number(const char **at, int *number)
{
    int digits = 0;
    *number = 0;
    for (; isdigit((unsigned char)(*at)[digits]) && digits < MAX_DIGITS; digits++)
        *number = *number * 10 + ((*at)[digits] - '0');
    const bool plain = digits == 1 || (digits > 1 && (*at)[0] != '0');
    *at += digits;
    return plain;
}

/* Whether all of `path` is as `pattern` says. {*} takes what the rest of the pattern leaves. */
static bool match(const char *pattern, const char *path, captures *c)
{
    while (*pattern) {
        if (strncmp(pattern, "{*}", 3) == 0) {
            const size_t behind = strlen(pattern + 3), length = strlen(path);
            if (length <= behind) return false;
            c->rest = path;
            c->rest_length = length - behind;
            return strcmp(path + c->rest_length, pattern + 3) == 0;
        }
        if (*pattern == '{') {
            if (!take_number(&path, &c->numbers[pattern[1] - 'a'])) return false;
            pattern += 3;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* What "{s+1}", at `to`, stands for. */
static void print_capture(char *out, size_t size, const char *to, const captures *c)
{
    if (to[1] == '*') {
        snprintf(out, size, "%.*s", (int)c->rest_length, c->rest);
        return;
    }
    const int number = c->numbers[to[1] - 'a'];
    if (to[2] == ':')
        snprintf(out, size, "%c", number < LETTERS ? 'a' + number : '?');
    else
        snprintf(out, size, "%d", number + (to[2] == '+' ? to[3] - '0' : to[2] == '-' ? -1 : 0));
}

/* "bb_{s-1}_{i}" with the captures put in; false: it does not fit. */
static bool fill(char *out, size_t size, const char *to, const captures *c)
{
    size_t used = 0;
    while (*to) {
        char part[512] = { *to, '\0' };
        if (*to == '{') {
            print_capture(part, sizeof(part), to, c);
            to = strchr(to, '}');
        }
        const size_t length = strlen(part);
        if (used + length >= size) return false;
        memcpy(out + used, part, length);
        used += length;
        to++;
    }
    out[used] = '\0';
    return true;
}

bool fv_foreign_rename(char *path, size_t size, const fv_rename *rules)
{
    captures c;
    char copy[512];
    while (rules->from && !match(rules->from, path, &c)) rules++;
    if (!rules->from) return true;
    if (strlen(path) >= sizeof(copy)) return false;
    strcpy(copy, path);
    return match(rules->from, copy, &c) && fill(path, size, rules->to, &c);
}
