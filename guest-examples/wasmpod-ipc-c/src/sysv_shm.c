/*
 * shmget(2), shmop(2), shmctl(2). Deliberately not there: attaching at a chosen address (EINVAL), and the commands of
 * ipcs(1).
 */
#include "host.h"

#include <string.h>
#include <sys/shm.h>

int shmget(key_t key, size_t size, int flags)
{
	int id;
	return answer(ipc_shmseg_get(key, (int64_t)size, ipc_get_flags(flags), &id)) == 0 ? id : -1;
}

void *shmat(int id, const void *address, int flags)
{
	uint32_t fd;
	uint64_t size;
	void *mapped = NULL;
	int to_write = !(flags & SHM_RDONLY);
	if (address) {
		errno = EINVAL;
	} else if (answer(ipc_shmseg_attach(id, to_write ? WRITE : 0, &fd)) == 0) {
		if (answer(ipc_shm_size(fd, &size)) == 0)
			mapped = ipc_map(fd, 0, (size_t)size, to_write);
		int error = errno;
		/* The mapping keeps it attached. */
		(void)ipc_shm_close(fd);
		errno = error;
	}
	return mapped ? mapped : (void *)-1;
}

int shmdt(const void *address)
{
	return ipc_unmap(address, 0);
}

int shmctl(int id, int command, struct shmid_ds *status)
{
	struct ipc_shmseg_status out;
	if (command == IPC_RMID)
		return answer(ipc_shmseg_remove(id));
	if (command != IPC_STAT && command != IPC_SET && command != SHM_LOCK && command != SHM_UNLOCK)
		return answer(EINVAL);
	if (answer(ipc_shmseg_stat(id, &out)) != 0)
		return -1;
	/* Owner, mode and locking in memory are nothing here; but the segment must be there. */
	if (command != IPC_STAT)
		return 0;
	memset(status, 0, sizeof *status);
	status->shm_perm.__key = out.key;
	status->shm_perm.mode = 0600 | (out.is_removed ? SHM_DEST : 0);
	status->shm_segsz = (size_t)out.size;
	status->shm_atime = (time_t)out.attached_at;
	status->shm_dtime = (time_t)out.detached_at;
	status->shm_ctime = (time_t)out.changed;
	status->shm_cpid = (pid_t)out.creator;
	status->shm_lpid = (pid_t)out.last;
	status->shm_nattch = out.attached;
	return 0;
}
