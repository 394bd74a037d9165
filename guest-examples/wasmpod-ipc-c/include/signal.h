/*
 * sigevent(3type), which mq_notify(3) takes. wasi-libc leaves it out, because a guest has no signals; here it says what
 * a program asks for, and only SIGEV_NONE can be had.
 */
#ifndef WASMPOD_SIGNAL_H
#define WASMPOD_SIGNAL_H

#include_next <signal.h>

#ifndef SIGEV_NONE
#define __NEED_pthread_attr_t
#include <bits/alltypes.h>

#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2

union sigval {
	int sival_int;
	void *sival_ptr;
};

struct sigevent {
	union sigval sigev_value;
	int sigev_signo;
	int sigev_notify;
	void (*sigev_notify_function)(union sigval);
	pthread_attr_t *sigev_notify_attributes;
};
#endif

#endif
