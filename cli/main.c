/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

int main(void)
{
    fprintf(stderr, "usage: fovea COMMAND [OPTIONS]\n");
    return 2;
}
