/*
 * mq_overview(7). wasi-libc has the declarations; the man page promises what programs rely on, that O_* come along.
 */
#ifndef WASMPOD_MQUEUE_H
#define WASMPOD_MQUEUE_H

#include <fcntl.h>
#include_next <mqueue.h>

#endif
