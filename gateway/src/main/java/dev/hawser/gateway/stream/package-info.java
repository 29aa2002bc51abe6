/** A user's stream of events: what of it is remembered, and who can be told the rest. Pure. */
@NullMarked
package dev.hawser.gateway.stream;

import org.jspecify.annotations.NullMarked;
