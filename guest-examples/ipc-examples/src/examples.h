/* The examples of docs/ipc.md: ordinary C for Linux, which knows nothing of wasmpod. One file an object. */
#ifndef EXAMPLES_H
#define EXAMPLES_H

/* Each takes the role that a container plays, and the name to print. The exit code is returned. */
int message_queue(const char *role, const char *name);
int semaphore(const char *role, const char *name);
int shared_memory(const char *role, const char *name);
int mutex(const char *role, const char *name);
int system_v_message_queue(const char *role, const char *name);
int system_v_semaphore(const char *role, const char *name);
int system_v_shared_memory(const char *role, const char *name);

/* Says what failed, with errno, and returns 1, to be returned. */
int failed(const char *what);

/* Whether the role is this one. */
int is(const char *role, const char *wanted);

/* Some milliseconds of work. */
void work(int milliseconds);

#endif
