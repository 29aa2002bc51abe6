@NullMarked
package dev.hawser.protocol.client;

import org.jspecify.annotations.NullMarked;
