//! The IPC namespace of one pod: POSIX message queues.
