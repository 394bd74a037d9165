/*
 * Numbers that containers share, and when what one of them has written is seen by the others.
 *
 * In a core module a segment is the memory itself: numbers are changed where they are, and everything is seen at once. The
 * containers of a pod run on one thread of the host and are interrupted between calls and turns of loops only, so the
 * operations need not be instructions; compiled for `-matomics` they are, and all stays right.
 *
 * A component has copies of segments (`component/mapping.c`). Its numbers are changed by calls, and its copies are
 * brought up to date by the functions that synchronise memory (XBD 4.12, Memory Synchronization): `ipc_publish` before a
 * call that lets others go on, `ipc_refresh` after one that has waited for them.
 */
#ifndef NUMBER_H
#define NUMBER_H

#ifdef WASMPOD_COMPONENT

int ipc_load(volatile int *number);
void ipc_store(volatile int *number, int value);
/* These give the old value. */
int ipc_exchange(volatile int *number, int value);
int ipc_add(volatile int *number, int by);
/* Puts `to` in place of `*from`; else says what was there. */
int ipc_replace(volatile int *number, int *from, int to);

/* Only in programs that map. */
#pragma weak ipc_synchronize
void ipc_synchronize(int is_taking_over);

/* Writes what was changed here into the segments. */
static inline void ipc_publish(void)
{
	if (ipc_synchronize)
		ipc_synchronize(0);
}

/* And takes over what others changed. */
static inline void ipc_refresh(void)
{
	if (ipc_synchronize)
		ipc_synchronize(1);
}

#else

static inline int ipc_load(volatile int *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

static inline void ipc_store(volatile int *number, int value)
{
	__atomic_store_n(number, value, __ATOMIC_SEQ_CST);
}

static inline int ipc_exchange(volatile int *number, int value)
{
	return __atomic_exchange_n(number, value, __ATOMIC_SEQ_CST);
}

static inline int ipc_add(volatile int *number, int by)
{
	return __atomic_fetch_add(number, by, __ATOMIC_SEQ_CST);
}

static inline int ipc_replace(volatile int *number, int *from, int to)
{
	return __atomic_compare_exchange_n(number, from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline void ipc_publish(void)
{
}

static inline void ipc_refresh(void)
{
}

#endif
#endif
