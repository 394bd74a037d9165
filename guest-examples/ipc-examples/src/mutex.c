/*
 * A mutex and a condition in shared memory, pthread_mutexattr_setpshared(3): two players who move in turns. The one who
 * opens makes them; the other waits until they are made.
 */
#include "examples.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT "/game"
#define MOVES 6

struct game {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	int moves;
};

static int make(struct game *game)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	return pthread_mutexattr_init(&mutex) || pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) ||
		pthread_mutex_init(&game->mutex, &mutex) || pthread_condattr_init(&cond) ||
		pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED) || pthread_cond_init(&game->moved, &cond);
}

/* The segment, once it is there and has its size. */
static struct game *map(const char *segment, int flags)
{
	int fd = shm_open(segment, flags, 0600);
	if (fd < 0 || (flags & O_CREAT && ftruncate(fd, sizeof(struct game)) != 0))
		return MAP_FAILED;
	struct stat status;
	if (fstat(fd, &status) != 0 || status.st_size < (off_t)sizeof(struct game))
		return MAP_FAILED;
	struct game *game = mmap(NULL, sizeof *game, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return game;
}

int mutex(const char *role, const char *name)
{
	int me = is(role, "second");
	struct game *game = MAP_FAILED;
	if (me == 0) {
		game = map(SEGMENT, O_RDWR | O_CREAT);
		if (game == MAP_FAILED || make(game) != 0)
			return failed(SEGMENT);
		/* Says that the mutex is there: until now nobody used it. */
		__atomic_store_n(&game->moves, 1, __ATOMIC_SEQ_CST);
	} else {
		while (game == MAP_FAILED) {
			game = map(SEGMENT, O_RDWR);
			if (game == MAP_FAILED)
				work(1);
		}
		while (__atomic_load_n(&game->moves, __ATOMIC_SEQ_CST) == 0)
			work(1);
	}
	for (int move = 1; move <= MOVES; move++) {
		pthread_mutex_lock(&game->mutex);
		while (game->moves % 2 == me)
			pthread_cond_wait(&game->moved, &game->mutex);
		printf("%s: move %d\n", name, game->moves);
		game->moves++;
		pthread_cond_signal(&game->moved);
		pthread_mutex_unlock(&game->mutex);
	}
	if (me)
		shm_unlink(SEGMENT);
	return munmap(game, sizeof *game) == 0 ? 0 : failed("munmap");
}
