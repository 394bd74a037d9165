/* limits.h(0p): the limits of IPC, which wasi-libc leaves out because it has none. */
#ifndef WASMPOD_LIMITS_H
#define WASMPOD_LIMITS_H

#include_next <limits.h>

#ifndef SEM_VALUE_MAX
#define SEM_VALUE_MAX 0x7fffffff
#endif
#ifndef MQ_PRIO_MAX
#define MQ_PRIO_MAX 32768
#endif

#endif
