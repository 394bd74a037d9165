/*
 * A System V message queue, msgop(2): letters for several readers in one queue, told apart by their type. Nobody
 * removes the queue: in a pod it is gone with the pod, on Linux `ipcrm -Q 0x706f7374` does it.
 */
#include "examples.h"

#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#define KEY 0x706f7374
#define LETTERS 3

struct letter {
	long recipient;
	char text[48];
};

int system_v_message_queue(const char *role, const char *name)
{
	int box = msgget(KEY, IPC_CREAT | 0600);
	if (box < 0)
		return failed("msgget");
	struct letter letter;
	if (is(role, "post")) {
		for (int i = 0; i < 2 * LETTERS; i++) {
			letter.recipient = 1 + i % 2;
			int length = snprintf(letter.text, sizeof letter.text, "letter %d", 1 + i / 2);
			if (msgsnd(box, &letter, (size_t)length, 0) != 0)
				return failed("msgsnd");
		}
		printf("%s: all letters are in the box\n", name);
		return 0;
	}
	long me = is(role, "anna") ? 1 : 2;
	for (int i = 0; i < LETTERS; i++) {
		ssize_t length = msgrcv(box, &letter, sizeof letter.text, me, 0);
		if (length < 0)
			return failed("msgrcv");
		printf("%s: got %.*s\n", name, (int)length, letter.text);
	}
	return 0;
}
