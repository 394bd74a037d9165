/*
 * Waiting on a number in shared memory, as futex(2): what the process-shared locks of this library are made of, for
 * programs that make their own. The number must lie in a mapped or attached segment, at a multiple of 4 bytes.
 */
#ifndef WASMPOD_FUTEX_H
#define WASMPOD_FUTEX_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Waits until it is woken, if the number is as expected; with a time, for at most so long. It may return for nothing:
 * look again. Returns 0, or -1 and errno: EAGAIN (another value), ETIMEDOUT, EINVAL (no shared memory).
 */
int wasmpod_futex_wait(volatile uint32_t *number, uint32_t expected, const struct timespec *timeout);

/* Wakes at most `count` that wait at this number, longest waiting first. Returns how many, or -1 and errno. */
int wasmpod_futex_wake(volatile uint32_t *number, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
