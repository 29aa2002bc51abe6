/** Many light clients in few processes: workers, and what the coordinator says to them. */
@NullMarked
package dev.hawser.loadtest.client;

import org.jspecify.annotations.NullMarked;
