/** Hawser beside other servers: how each is started, what is measured, and the table. */
@NullMarked
package dev.hawser.loadtest.peers;

import org.jspecify.annotations.NullMarked;
