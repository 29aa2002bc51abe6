/**
 * The client protocol: commands, replies and pushes with their JSON and Protobuf encodings. {@link
 * dev.hawser.protocol.client.Codec} is the way in.
 *
 * <p>"Section n" in this package means docs/client-protocol.md. What holds for every record here:
 *
 * <ul>
 *   <li>A missing string is {@code ""}, a missing payload {@link
 *       dev.hawser.protocol.client.Payload#EMPTY}, a missing map or list empty, a missing number 0.
 *   <li>A {@code uint32} of the wire is an {@code int}, a {@code uint64} a {@code long}, each with
 *       the same bits: compare and print ids and offsets with the unsigned methods of {@link
 *       Integer} and {@link Long}.
 *   <li>Maps, lists and payload bytes are not copied: whoever hands them over does not change them
 *       any more.
 * </ul>
 */
@NullMarked
package dev.hawser.protocol.client;

import org.jspecify.annotations.NullMarked;
