/* SPDX-License-Identifier: Apache-2.0 */
/* data/imagenet_classes.h - the classes of ImageNet 2012 and their numbers.
 *
 * A class is a synset of WordNet, named by its WNID: "n01440764". The number of a class, which
 * weights for ImageNet go by, is the rank of its WNID: 0 is n01440764, 999 is n15075141. The
 * numbers of the devkit, 1 to 1000, are others.
 */
#ifndef FV_DATA_IMAGENET_CLASSES_H
#define FV_DATA_IMAGENET_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

enum { FV_IMAGENET_CLASSES = 1000 };

uint32_t fv_imagenet_wnid(int label); /* its digits: 1440764; label is in [0, 1000) */
int fv_imagenet_class(uint32_t wnid); /* -1: none of the 1000 */

/* A WNID that `text` begins with: n, eight digits, and then neither digit nor letter. */
bool fv_wnid_read(const char *text, uint32_t *wnid);

/* The last part of a path that begins with one: "val/n01440764/x.JPEG", "n01440764_10026.JPEG". */
bool fv_wnid_find(const char *path, uint32_t *wnid);

#endif /* FV_DATA_IMAGENET_CLASSES_H */
