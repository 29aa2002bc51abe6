/** Kafka in and out: events to sessions, messages of clients to the business services. */
@NullMarked
package dev.hawser.gateway.kafka;

import org.jspecify.annotations.NullMarked;
