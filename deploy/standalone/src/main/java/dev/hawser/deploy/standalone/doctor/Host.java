package dev.hawser.deploy.standalone.doctor;

/**
 * The limits and kernel settings that this process lives under. Sizes are in bytes.
 *
 * @param openFiles soft and hard limit of file descriptors of a process
 * @param processes soft and hard limit of threads of a user
 * @param nrOpen what the former can be raised to
 * @param fileMax file descriptors of all processes
 * @param memory of the machine
 * @param memoryLimit the smallest limit of the control groups that this process is in
 * @param pidsLimit likewise, of their threads
 * @param localPorts first and last port of outgoing connections
 * @param reservedPorts first and last port, in turns, of the ranges kept out of the former
 * @param tcpMem low, pressure and high mark of what TCP may buffer, in pages
 * @param connectionTracking connections that the firewall can remember
 * @param connectionBuckets size of the hash table that it finds them by
 */
public record Host(
    Reading openFiles,
    Reading processes,
    Reading nrOpen,
    Reading fileMax,
    Reading memory,
    Reading memoryLimit,
    Reading pidsLimit,
    Reading pageSize,
    Reading somaxconn,
    Reading synCookies,
    Reading synBacklog,
    Reading localPorts,
    Reading reservedPorts,
    Reading tcpMem,
    Reading connectionTracking,
    Reading connectionBuckets) {}
