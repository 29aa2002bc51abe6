/** The client edge on Netty: accepts sockets, upgrades them, and carries WebSocket frames. */
@NullMarked
package dev.hawser.gateway.socket;

import org.jspecify.annotations.NullMarked;
