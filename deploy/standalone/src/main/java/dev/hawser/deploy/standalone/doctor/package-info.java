/** What the limits and kernel settings of a host are, and what many connections need of them. */
@NullMarked
package dev.hawser.deploy.standalone.doctor;

import org.jspecify.annotations.NullMarked;
