/* POSIX shared memory: shm_overview(7), shm_open(3), ftruncate(2), mmap(2), fstat(2). */
#include "oracle.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not a multiple of any page. */
#define BYTES 100000

static int all_are(const unsigned char *bytes, size_t length, unsigned char value)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != value)
			return 0;
	return 1;
}

static void names(void)
{
	char longest[300];
	memset(longest, 'n', sizeof longest);
	longest[0] = '/';
	longest[299] = '\0';
	CHECK_ERROR("a segment that is not there is not opened", ENOENT, shm_open(name_of("shm"), O_RDWR, 0));
	CHECK_ERROR("a segment that is not there is not unlinked", ENOENT, shm_unlink(name_of("shm")));
	/* The page says ENAMETOOLONG, glibc EINVAL. */
	CHECK("a name of 298 bytes is too long", shm_open(longest, O_RDWR | O_CREAT, 0600) == -1 && (errno == ENAMETOOLONG || errno == EINVAL));
}

static void sizes(int fd)
{
	struct stat status;
	CHECK("a new segment is empty", fstat(fd, &status) == 0 && status.st_size == 0);
	CHECK("it is given a size", ftruncate(fd, BYTES) == 0);
	CHECK("which it then has", fstat(fd, &status) == 0 && status.st_size == BYTES);
	CHECK_ERROR("a size below zero is refused", EINVAL, ftruncate(fd, -1));
}

static void mappings(int fd)
{
	CHECK_ERROR("a mapping has at least one byte", EINVAL, (long)mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
	unsigned char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("a segment is mapped", map != MAP_FAILED);
	CHECK("it is zeros at first", all_are(map, BYTES, 0));
	memset(map, 7, BYTES);
	unsigned char *again = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	CHECK("it is mapped once more", again != MAP_FAILED);
	CHECK("both mappings show the same", all_are(again, BYTES, 7));
	map[BYTES - 1] = 9;
	CHECK("and go on showing it", again[BYTES - 1] == 9);
	CHECK("one mapping is given back", munmap(again, BYTES) == 0);
	CHECK("the other stays", map[0] == 7 && map[BYTES - 1] == 9);

	int reader = shm_open(name_of("shm"), O_RDONLY, 0);
	CHECK("the segment is opened for reading", reader != -1);
	CHECK_ERROR("a reader does not change the size", EINVAL, ftruncate(reader, 10));
	CHECK_ERROR("nor maps it for writing", EACCES, (long)mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
	again = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, reader, 0);
	CHECK("but for reading", again != MAP_FAILED && again[BYTES - 1] == 9);
	CHECK("a mapping outlives its descriptor", close(reader) == 0 && again[0] == 7);
	CHECK("and is given back", munmap(again, BYTES) == 0);
	CHECK_ERROR("a closed descriptor maps nothing", EBADF, (long)mmap(NULL, BYTES, PROT_READ, MAP_SHARED, reader, 0));

	CHECK("the name is unlinked", shm_unlink(name_of("shm")) == 0);
	CHECK_ERROR("then nobody finds it", ENOENT, shm_open(name_of("shm"), O_RDWR, 0));
	CHECK("the mapping stays", map[0] == 7);
	CHECK("the descriptor is closed", close(fd) == 0);
	CHECK("the mapping still stays", map[BYTES - 1] == 9);
	CHECK("the last mapping is given back", munmap(map, BYTES) == 0);
}

static void copies(void)
{
	char buffer[8];
	struct stat status;
	int fd = shm_open(name_of("file"), O_RDWR | O_CREAT, 0600);
	CHECK("a segment is a file: what is written grows it", write(fd, "0123456789", 10) == 10 && fstat(fd, &status) == 0 && status.st_size == 10);
	CHECK("one moves in it", lseek(fd, 2, SEEK_SET) == 2);
	CHECK("and reads on from there", read(fd, buffer, 3) == 3 && memcmp(buffer, "234", 3) == 0);
	CHECK("up to its end", lseek(fd, -2, SEEK_END) == 8 && read(fd, buffer, 8) == 2 && read(fd, buffer, 8) == 0);
	int again = shm_open(name_of("file"), O_RDWR | O_TRUNC, 0);
	CHECK("O_TRUNC empties it", again != -1 && fstat(fd, &status) == 0 && status.st_size == 0);
	CHECK("both are closed, and the name is unlinked", close(fd) == 0 && close(again) == 0 && shm_unlink(name_of("file")) == 0);
}

/* Within the first page: behind it, Linux ends who looks at what was cut off. */
static void cutting(void)
{
	int fd = shm_open(name_of("cut"), O_RDWR | O_CREAT, 0600);
	CHECK("a segment with a name that is not needed", fd != -1 && shm_unlink(name_of("cut")) == 0 && ftruncate(fd, BYTES) == 0);
	unsigned char *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("it is mapped and filled", map != MAP_FAILED && memset(map, 7, BYTES));
	CHECK("it is cut off under its mapping", ftruncate(fd, 10) == 0 && map[9] == 7);
	CHECK("what comes back is zeros", ftruncate(fd, BYTES) == 0 && map[9] == 7 && all_are(map + 10, BYTES - 10, 0));
	map[BYTES - 1] = 8;
	unsigned char last;
	CHECK("and is written to as before", pread(fd, &last, 1, BYTES - 1) == 1 && last == 8);
	CHECK("a file's write is in the mapping", pwrite(fd, "x", 1, 5) == 1 && map[5] == 'x');
	CHECK("programs that are executed do not have its descriptor", fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK("all is given back", munmap(map, BYTES) == 0 && close(fd) == 0);
}

void shm_alone(void)
{
	names();
	int fd = shm_open(name_of("shm"), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK("a segment is made", fd != -1);
	CHECK_ERROR("O_EXCL fails when the name is taken", EEXIST, shm_open(name_of("shm"), O_RDWR | O_CREAT | O_EXCL, 0600));
	sizes(fd);
	mappings(fd);
	copies();
	cutting();
}

struct shared {
	volatile int ready, answered;
	unsigned char bytes[BYTES];
};

void shm_first(void)
{
	int fd = shm_open(name_of("two"), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK("a segment is made and given a size", fd != -1 && ftruncate(fd, sizeof(struct shared)) == 0);
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("it is mapped", shared != MAP_FAILED && close(fd) == 0);
	memset(shared->bytes, 0x5a, BYTES);
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	EVENTUALLY("the other side answers in the same memory", __atomic_load_n(&shared->answered, __ATOMIC_ACQUIRE) == 1);
	CHECK("every byte is its answer", all_are(shared->bytes, BYTES, 0xa5));
	CHECK("the name is unlinked", shm_unlink(name_of("two")) == 0);
	CHECK("the mapping is given back", munmap(shared, sizeof *shared) == 0);
}

void shm_second(void)
{
	int fd = -1;
	struct stat status;
	EVENTUALLY("the segment appears", (fd = shm_open(name_of("two"), O_RDWR, 0)) != -1);
	EVENTUALLY("and has its size", fstat(fd, &status) == 0 && status.st_size == sizeof(struct shared));
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("it is mapped", shared != MAP_FAILED && close(fd) == 0);
	EVENTUALLY("the other side has written", __atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) == 1);
	CHECK("every byte is there", all_are(shared->bytes, BYTES, 0x5a));
	memset(shared->bytes, 0xa5, BYTES);
	__atomic_store_n(&shared->answered, 1, __ATOMIC_RELEASE);
	CHECK("the mapping is given back", munmap(shared, sizeof *shared) == 0);
}
