/* ipc-examples OBJECT ROLE [NAME] */
#include "examples.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *object;
	int (*run)(const char *role, const char *name);
} examples[] = {
	{ "message-queue", message_queue },
	{ "semaphore", semaphore },
	{ "shared-memory", shared_memory },
	{ "mutex", mutex },
	{ "system-v-message-queue", system_v_message_queue },
	{ "system-v-semaphore", system_v_semaphore },
	{ "system-v-shared-memory", system_v_shared_memory },
};

int failed(const char *what)
{
	perror(what);
	return 1;
}

int is(const char *role, const char *wanted)
{
	return strcmp(role, wanted) == 0;
}

void work(int milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
	nanosleep(&time, NULL);
}

int main(int argc, char **argv)
{
	/* Who reads the log sees each line when it is printed. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 2 && i < sizeof examples / sizeof examples[0]; i++)
		if (is(argv[1], examples[i].object))
			return examples[i].run(argv[2], argc > 3 ? argv[3] : argv[2]);
	fprintf(stderr, "usage: ipc-examples OBJECT ROLE [NAME]\nobjects:");
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		fprintf(stderr, " %s", examples[i].object);
	fprintf(stderr, "\n");
	return 2;
}
