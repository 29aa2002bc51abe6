@NullMarked
package dev.hawser.deploy.embedded;

import org.jspecify.annotations.NullMarked;
