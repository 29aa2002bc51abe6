/** The node among nodes: how they find each other, and where clients reach them. */
@NullMarked
package dev.hawser.gateway.cluster;

import org.jspecify.annotations.NullMarked;
