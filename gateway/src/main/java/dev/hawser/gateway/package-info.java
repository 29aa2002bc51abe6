/** One node of Hawser: everything is started and wired here. */
@NullMarked
package dev.hawser.gateway;

import org.jspecify.annotations.NullMarked;
