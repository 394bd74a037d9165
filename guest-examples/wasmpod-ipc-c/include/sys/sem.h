/* semget(2), semop(2), semctl(2). The program defines `union semun`, as on Linux. */
#ifndef WASMPOD_SYS_SEM_H
#define WASMPOD_SYS_SEM_H

#include <sys/ipc.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEM_UNDO 0x1000

#define GETPID 11
#define GETVAL 12
#define GETALL 13
#define GETNCNT 14
#define GETZCNT 15
#define SETVAL 16
#define SETALL 17

struct sembuf {
	unsigned short sem_num;
	short sem_op;
	short sem_flg;
};

struct semid_ds {
	struct ipc_perm sem_perm;
	time_t sem_otime;
	time_t sem_ctime;
	unsigned long sem_nsems;
};

int semget(key_t key, int count, int flags);
int semop(int id, struct sembuf *operations, size_t count);
int semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout);

/* `argument` is what the program gave, a number, a pointer, or its `union semun`, as 32 bits. */
int __wasmpod_semctl(int id, int number, int command, unsigned argument);

/*
 * Programs give the fourth argument of semctl as a union, but also as a number or a pointer, or leave it out. Linux's
 * calling convention does not tell these apart; Wasm's does (a union goes by reference), so a macro looks at it first.
 */
#define semctl(...) __WASMPOD_SEMCTL(__VA_ARGS__, __WASMPOD_SEMCTL4, __WASMPOD_SEMCTL3, 0)
#define __WASMPOD_SEMCTL(id, number, command, argument, function, ...) function(id, number, command, argument)
#define __WASMPOD_SEMCTL3(id, number, command, argument) __wasmpod_semctl(id, number, command, 0)
#define __WASMPOD_SEMCTL4(id, number, command, argument) \
	__wasmpod_semctl(id, number, command, __extension__({ \
		__typeof__(__extension__({ argument; })) given_ = (argument); \
		unsigned word_ = 0; \
		__builtin_memcpy(&word_, &given_, sizeof given_ < sizeof word_ ? sizeof given_ : sizeof word_); \
		word_; \
	}))

#ifdef __cplusplus
}
#endif

#endif
