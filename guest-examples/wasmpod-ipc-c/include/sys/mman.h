/*
 * mmap(2), shm_overview(7). wasi-libc's header asks for its emulation of files in memory; here the functions come from
 * this library, which really shares segments.
 */
#ifndef WASMPOD_SYS_MMAN_H
#define WASMPOD_SYS_MMAN_H

#ifndef _WASI_EMULATED_MMAN
#define _WASI_EMULATED_MMAN
#endif
#include <fcntl.h>
#include_next <sys/mman.h>

#endif
