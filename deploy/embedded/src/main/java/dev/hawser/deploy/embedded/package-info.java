/** The parts that Hawser needs beside itself, as real servers inside one process. */
@NullMarked
package dev.hawser.deploy.embedded;

import org.jspecify.annotations.NullMarked;
