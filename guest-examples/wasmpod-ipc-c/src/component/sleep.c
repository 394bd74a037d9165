/*
 * Programs that look at shared memory again and again sleep or yield in between, so copies are brought up to date there. The
 * linker's option --wrap leads all such calls here, those of wasi-libc's own nanosleep(2), sleep(3) and usleep(3) too.
 */
#include "../number.h"

#include <sched.h>
#include <time.h>

int __real_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left);
int __real_sched_yield(void);

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	ipc_publish();
	int error = __real_clock_nanosleep(clock, flags, time, left);
	ipc_refresh();
	return error;
}

int __wrap_sched_yield(void)
{
	ipc_publish();
	int answer = __real_sched_yield();
	ipc_refresh();
	return answer;
}
