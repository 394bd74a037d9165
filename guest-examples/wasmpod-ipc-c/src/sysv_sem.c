/* semget(2), semop(2), semctl(2). Deliberately not there: the commands of ipcs(1). */
#include "host.h"
#include "number.h"

#include <limits.h>
#include <string.h>
#include <sys/sem.h>

int semget(key_t key, int count, int flags)
{
	int id;
	if (count < 0)
		return answer(EINVAL);
	return answer(ipc_semset_get(key, (unsigned)count, ipc_get_flags(flags), &id)) == 0 ? id : -1;
}

/* Nanoseconds to wait, or FOREVER. An errno. */
static int operate(int id, struct sembuf *operations, size_t count, int64_t timeout_ns)
{
	if (count > UINT_MAX)
		return E2BIG;
	ipc_publish();
	int error = ipc_semset_operate(id, operations, (unsigned)count, timeout_ns);
	if (error == 0)
		ipc_refresh();
	/* The page of semtimedop has one errno for both. */
	return error == ETIMEDOUT ? EAGAIN : error;
}

int semop(int id, struct sembuf *operations, size_t count)
{
	return answer(operate(id, operations, count, FOREVER));
}

int semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout)
{
	int64_t left = ipc_duration(timeout);
	return answer(left == -EINVAL ? EINVAL : operate(id, operations, count, left));
}

int __wasmpod_semctl(int id, int number, int command, unsigned argument)
{
	uint32_t value[4];
	struct ipc_semset_status out;
	struct semid_ds *status = (struct semid_ds *)(uintptr_t)argument;
	unsigned short *all = (unsigned short *)(uintptr_t)argument;
	switch (command) {
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		if (answer(ipc_semset_get_value(id, (unsigned)number, value)) != 0)
			return -1;
		return (int)value[command == GETVAL ? 0 : command == GETPID ? 1 : command == GETNCNT ? 2 : 3];
	case SETVAL:
		return answer((int)argument < 0 ? ERANGE : ipc_semset_set_value(id, (unsigned)number, argument));
	case GETALL:
	case SETALL:
		/* Neither call says how many: the set does. */
		if (answer(ipc_semset_stat(id, &out)) != 0)
			return -1;
		return answer(command == GETALL ? ipc_semset_get_all(id, all, out.semaphores) : ipc_semset_set_all(id, all, out.semaphores));
	case IPC_STAT:
		if (answer(ipc_semset_stat(id, &out)) != 0)
			return -1;
		memset(status, 0, sizeof *status);
		status->sem_perm.__key = out.key;
		status->sem_perm.mode = 0600;
		status->sem_otime = (time_t)out.operated;
		status->sem_ctime = (time_t)out.changed;
		status->sem_nsems = out.semaphores;
		return 0;
	case IPC_SET:
		/* Owner and mode, which a pod does not have; but the set must be there. */
		return answer(ipc_semset_stat(id, &out));
	case IPC_RMID:
		return answer(ipc_semset_remove(id));
	default:
		return answer(EINVAL);
	}
}
