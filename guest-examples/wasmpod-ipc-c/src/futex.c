/* futex(2) as the host has it: waiting on a number in shared memory. */
#include "host.h"
#include "number.h"

#include <time.h>
#include <wasmpod/futex.h>

/* Time passes; nobody can wake us. Without an end that is for ever, as it is on Linux. */
static int pass_time(int64_t timeout_ns)
{
	do {
		int64_t ns = timeout_ns < 0 ? INT64_C(3600000000000) : timeout_ns;
		struct timespec time = { ns / 1000000000, (long)(ns % 1000000000) };
		nanosleep(&time, NULL);
	} while (timeout_ns < 0);
	return ETIMEDOUT;
}

int ipc_wait_on(volatile int *number, int expected, int64_t timeout_ns)
{
	int error = ipc_futex_wait(number, (uint32_t)expected, timeout_ns);
	/* No shared memory: a container has one thread, so nobody else changes the number. */
	return error == EINVAL ? pass_time(timeout_ns) : error;
}

void ipc_wake(volatile int *number, unsigned count)
{
	uint32_t woken;
	/* In memory of one's own nobody waits. */
	(void)ipc_futex_wake(number, count, &woken);
}

int wasmpod_futex_wait(volatile uint32_t *number, uint32_t expected, const struct timespec *timeout)
{
	int64_t left = ipc_duration(timeout);
	ipc_publish();
	int error = left == -EINVAL ? EINVAL : ipc_futex_wait(number, expected, left);
	ipc_refresh();
	return answer(error);
}

int wasmpod_futex_wake(volatile uint32_t *number, uint32_t count)
{
	uint32_t woken;
	ipc_publish();
	return answer(ipc_futex_wake(number, count, &woken)) == 0 ? (int)woken : -1;
}
