/*
 * ipc-oracle OBJECT ROLE RUN FILE
 *
 * Runs one role of one object's checks. RUN is a number that tells runs on one machine apart; FILE is a file that all
 * roles of the run see. Exits with 1 when a check failed.
 */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct role roles[] = {
	{ "mq", "alone", mq_alone },
	{ "mq", "first", mq_first },
	{ "mq", "second", mq_second },
	{ "sem", "alone", sem_alone },
	{ "sem", "first", sem_first },
	{ "sem", "second", sem_second },
	{ "shm", "alone", shm_alone },
	{ "shm", "first", shm_first },
	{ "shm", "second", shm_second },
	{ "pthread", "alone", pthread_alone },
	{ "pthread", "first", pthread_first },
	{ "pthread", "second", pthread_second },
	{ "sysv-msg", "alone", sysv_msg_alone },
	{ "sysv-msg", "first", sysv_msg_first },
	{ "sysv-msg", "second", sysv_msg_second },
	{ "sysv-sem", "alone", sysv_sem_alone },
	{ "sysv-sem", "first", sysv_sem_first },
	{ "sysv-sem", "second", sysv_sem_second },
	{ "sysv-shm", "alone", sysv_shm_alone },
	{ "sysv-shm", "at-once", sysv_shm_at_once },
	{ "sysv-shm", "first", sysv_shm_first },
	{ "sysv-shm", "second", sysv_shm_second },
};

static const char *run = "0", *file = "";
static int checks, failures;

void report(const char *sentence, int holds, int error, const char *source, int line)
{
	checks++;
	if (holds) {
		printf("PASS %s\n", sentence);
	} else {
		failures++;
		printf("FAIL %s: %s:%d, errno: %s\n", sentence, source, line, strerror(error));
	}
	fflush(stdout);
}

void pause_a_millisecond(void)
{
	struct timespec millisecond = { 0, 1000000 };
	nanosleep(&millisecond, NULL);
}

const char *name_of(const char *what)
{
	/* Several names may be in use at once. */
	static char names[8][128];
	static int next;
	char *name = names[next++ % 8];
	snprintf(name, sizeof names[0], "/wasmpod-oracle-%s-%s", run, what);
	return name;
}

key_t key_of(int number)
{
	return 0x4f000000 + (key_t)(strtol(run, NULL, 10) % 0xfffff) * 16 + number;
}

const char *shared_file(void)
{
	return file;
}

struct timespec in_milliseconds(long milliseconds)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += milliseconds / 1000;
	time.tv_nsec += milliseconds % 1000 * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: ipc-oracle OBJECT ROLE RUN FILE\n");
		return 2;
	}
	run = argv[3];
	file = argv[4];
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		if (strcmp(roles[i].object, argv[1]) == 0 && strcmp(roles[i].name, argv[2]) == 0) {
			roles[i].run();
			printf("DONE %d checks\n", checks);
			return failures != 0;
		}
	}
	fprintf(stderr, "ipc-oracle: no role %s of %s\n", argv[2], argv[1]);
	return 2;
}
