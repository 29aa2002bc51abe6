/** The Kafka event: which headers a record carries and what they mean. */
@NullMarked
package dev.hawser.protocol.event;

import org.jspecify.annotations.NullMarked;
