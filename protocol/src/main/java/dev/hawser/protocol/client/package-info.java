/** The client protocol: commands, replies and pushes with their JSON and Protobuf encodings. */
@NullMarked
package dev.hawser.protocol.client;

import org.jspecify.annotations.NullMarked;
