/* Files changed a little each time they are trained on, so that a small set teaches more: what a recording or a picture is,
 * does not change when it comes a little later, louder, or turned. */
#ifndef BG_DATA_AUGMENT_H
#define BG_DATA_AUGMENT_H

#include "base/rng.h"

#include <stddef.h>

/* bytes (n) is a whole file; room (n) is for working.  Of these kinds the samples change, the header and the size never:
 *   WAV, PCM, one channel, 8 or 16 bits, header of 44 bytes: up to a fifth of a second earlier or later, as far as only
 *     silence falls out, up to 15 % faster or slower (and higher or lower), half to twice as
 *     loud, duller or brighter, upside down, with a gap of up to 40 ms somewhere, a little noise;
 *   BMP, 24 bits, header of 54 bytes: moved by up to a tenth, turned by up to 8 degrees, up to 12 % larger or smaller,
 *     brightness and contrast.
 * Everything else stays as it is.  1: it was changed.  The same rng gives the same bytes. */
int bg_augment(uint8_t *bytes, size_t n, uint8_t *room, bg_rng *rng);

#endif
