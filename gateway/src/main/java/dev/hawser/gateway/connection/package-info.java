/**
 * One client connection, whatever carries it: the client protocol's state machine, authentication,
 * heartbeats. Knows sessions; knows neither Netty, HTTP nor Kafka.
 */
@NullMarked
package dev.hawser.gateway.connection;

import org.jspecify.annotations.NullMarked;
