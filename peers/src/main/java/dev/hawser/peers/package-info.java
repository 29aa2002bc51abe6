/** Servers on other libraries, each with the same work: what one client publishes goes to all. */
@NullMarked
package dev.hawser.peers;

import org.jspecify.annotations.NullMarked;
