/** The check that nothing is lost or doubled on the way to clients, whatever breaks. */
@NullMarked
package dev.hawser.deploy.standalone.check;

import org.jspecify.annotations.NullMarked;
