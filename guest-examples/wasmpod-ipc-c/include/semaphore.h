/*
 * sem_overview(7). wasi-libc has the declarations but sem_clockwait, which Linux's C library has beside sem_timedwait.
 */
#ifndef WASMPOD_SEMAPHORE_H
#define WASMPOD_SEMAPHORE_H

#include_next <semaphore.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

int sem_clockwait(sem_t *__restrict, clockid_t, const struct timespec *__restrict);

#ifdef __cplusplus
}
#endif

#endif
