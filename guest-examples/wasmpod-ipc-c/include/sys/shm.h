/* shmget(2), shmop(2), shmctl(2). */
#ifndef WASMPOD_SYS_SHM_H
#define WASMPOD_SYS_SHM_H

#include <sys/ipc.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHM_RDONLY 010000
#define SHM_RND 020000

/* In shm_perm.mode of a segment that goes with the last one attached. */
#define SHM_DEST 01000

#define SHM_LOCK 11
#define SHM_UNLOCK 12

/* Attached segments begin at a multiple of it. */
#define SHMLBA 65536

typedef unsigned long shmatt_t;

struct shmid_ds {
	struct ipc_perm shm_perm;
	size_t shm_segsz;
	time_t shm_atime;
	time_t shm_dtime;
	time_t shm_ctime;
	pid_t shm_cpid;
	pid_t shm_lpid;
	shmatt_t shm_nattch;
};

int shmget(key_t key, size_t size, int flags);
void *shmat(int id, const void *address, int flags);
int shmdt(const void *address);
int shmctl(int id, int command, struct shmid_ds *status);

#ifdef __cplusplus
}
#endif

#endif
