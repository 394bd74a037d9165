/* System V shared memory: sysvipc(7), shmget(2), shmop(2), shmctl(2). */
#include "oracle.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#define BYTES 100000

#define ATTACH_FAILS(sentence, error, call) \
	do { \
		errno = 0; \
		void *answer_ = (call); \
		report(sentence, answer_ == (void *)-1 && errno == (error), errno, __FILE__, __LINE__); \
	} while (0)

static void making(void)
{
	CHECK_ERROR("a key that nobody has is not found", ENOENT, shmget(key_of(3), BYTES, 0));
	CHECK_ERROR("a new segment has at least one byte", EINVAL, shmget(key_of(3), 0, IPC_CREAT | 0600));
	int segment = shmget(key_of(3), BYTES, IPC_CREAT | IPC_EXCL | 0600);
	CHECK("a segment is made for a key", segment != -1);
	CHECK("the key leads to it", shmget(key_of(3), BYTES, 0) == segment && shmget(key_of(3), 0, 0) == segment);
	CHECK_ERROR("IPC_EXCL fails when the key is taken", EEXIST, shmget(key_of(3), BYTES, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERROR("a segment has no more than it was made with", EINVAL, shmget(key_of(3), BYTES + 1, 0));
}

static void attaching(int segment)
{
	struct shmid_ds status;
	ATTACH_FAILS("a segment that is not there is not attached", EINVAL, shmat(-1, NULL, 0));
	char *bytes = shmat(segment, NULL, 0);
	CHECK("a segment is attached", bytes != (void *)-1);
	int is_zero = 1;
	for (int i = 0; i < BYTES; i++)
		is_zero &= bytes[i] == 0;
	CHECK("it is zeros at first", is_zero);
	char *again = shmat(segment, NULL, SHM_RDONLY);
	CHECK("it is attached once more", again != (void *)-1 && again != bytes);
	bytes[BYTES - 1] = 9;
	memset(&status, 0xff, sizeof status);
	CHECK("a segment tells of itself", shmctl(segment, IPC_STAT, &status) == 0);
	CHECK("its size, who attached it and how often", status.shm_segsz == BYTES && status.shm_nattch == 2);
	CHECK("who made it and who used it last", status.shm_cpid == getpid() && status.shm_lpid == getpid());
	CHECK("when it was attached", status.shm_atime > 0 && status.shm_dtime == 0 && status.shm_ctime > 0);
	CHECK("it is detached", shmdt(again) == 0);
	CHECK_ERROR("and no second time", EINVAL, shmdt(again));
	CHECK("once is left", shmctl(segment, IPC_STAT, &status) == 0 && status.shm_nattch == 1 && status.shm_dtime > 0);

	CHECK("it is removed while it is attached", shmctl(segment, IPC_RMID, NULL) == 0);
	CHECK_ERROR("its key is free at once", ENOENT, shmget(key_of(3), 0, 0));
	CHECK("who has it attached keeps it", bytes[BYTES - 1] == 9);
	CHECK("with the last detach it is gone", shmdt(bytes) == 0);
	CHECK_ERROR("then it tells nothing", EINVAL, shmctl(segment, IPC_STAT, &status));
}

void sysv_shm_alone(void)
{
	making();
	attaching(shmget(key_of(3), 0, 0));
}

/* What is written is seen in the same memory, by itself: not where a program has a copy of it. */
void sysv_shm_at_once(void)
{
	int segment = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	char *bytes = shmat(segment, NULL, 0), *again = shmat(segment, NULL, SHM_RDONLY);
	CHECK("a segment is attached twice", bytes != (void *)-1 && again != (void *)-1 && again != bytes);
	bytes[BYTES - 1] = 9;
	CHECK("both show the same", again[BYTES - 1] == 9);
	CHECK("it is detached and removed", shmdt(bytes) == 0 && shmdt(again) == 0 && shmctl(segment, IPC_RMID, NULL) == 0);
}

struct shared {
	volatile int ready, answered;
	char text[64];
};

void sysv_shm_first(void)
{
	struct shmid_ds status;
	int segment = shmget(key_of(4), sizeof(struct shared), IPC_CREAT | 0600);
	struct shared *shared = shmat(segment, NULL, 0);
	CHECK("a segment is made and attached", shared != (void *)-1);
	strcpy(shared->text, "hello from the first");
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	EVENTUALLY("the other side answers in the same memory", __atomic_load_n(&shared->answered, __ATOMIC_ACQUIRE) == 1);
	CHECK("its answer is there", strcmp(shared->text, "hello from the second") == 0);
	EVENTUALLY("it is detached when the other side ends", shmctl(segment, IPC_STAT, &status) == 0 && status.shm_nattch == 1);
	CHECK("the other side is told to have been last", status.shm_lpid != getpid());
	CHECK("the segment is removed and detached", shmctl(segment, IPC_RMID, NULL) == 0 && shmdt(shared) == 0);
}

void sysv_shm_second(void)
{
	int segment = shmget(key_of(4), sizeof(struct shared), IPC_CREAT | 0600);
	struct shared *shared = shmat(segment, NULL, 0);
	CHECK("a segment is made and attached", shared != (void *)-1);
	EVENTUALLY("the other side has written", __atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) == 1);
	CHECK("its text is there", strcmp(shared->text, "hello from the first") == 0);
	strcpy(shared->text, "hello from the second");
	/* Ends without detaching. */
	__atomic_store_n(&shared->answered, 1, __ATOMIC_RELEASE);
}
