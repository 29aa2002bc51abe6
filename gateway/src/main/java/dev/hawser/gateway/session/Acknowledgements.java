package dev.hawser.gateway.session;

import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/**
 * Up to which offset of a user's stream each device has everything. Clients that do not tell their
 * device are one device together. Immutable; of the devices that ever were, the ones that are
 * furthest are kept.
 */
record Acknowledgements(Map<String, Long> byDevice) {

  static final Acknowledgements NONE = new Acknowledgements(Map.of());

  private static final int MAX_DEVICES = 16;

  Acknowledgements {
    byDevice = Collections.unmodifiableMap(byDevice);
  }

  /** A device has everything up to this offset, if not more. */
  Acknowledgements and(String device, long offset) {
    Long known = byDevice.get(device);
    if (known != null && known >= offset) {
      return this;
    }
    if (byDevice.size() <= 1 && (known != null || byDevice.isEmpty())) {
      return new Acknowledgements(Map.of(device, offset));
    }
    var more = new HashMap<>(byDevice);
    more.put(device, offset);
    if (more.size() > MAX_DEVICES) {
      more.values().remove(Collections.min(more.values()));
    }
    return new Acknowledgements(more);
  }

  Acknowledgements and(Acknowledgements others) {
    Acknowledgements all = this;
    for (var other : others.byDevice.entrySet()) {
      all = all.and(other.getKey(), other.getValue());
    }
    return all;
  }

  /** A device that has no more than this is none any more. */
  Acknowledgements without(String device, long offset) {
    Long known = byDevice.get(device);
    if (known == null || known > offset) {
      return this;
    }
    var fewer = new HashMap<>(byDevice);
    fewer.remove(device);
    return fewer.isEmpty() ? NONE : new Acknowledgements(fewer);
  }

  boolean knows(String device) {
    return byDevice.containsKey(device);
  }

  /** 0 if nothing is known. */
  long of(String device) {
    return byDevice.getOrDefault(device, 0L);
  }

  /** What every device has; 0 if there is none. */
  long ofAll() {
    return byDevice.isEmpty() ? 0 : Collections.min(byDevice.values());
  }
}
