package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AllowedOriginsTest {

  @Test
  void clients_that_are_no_browsers_send_no_origin_and_are_let_in() {
    assertThat(new AllowedOrigins(List.of()).allow(null, "example.org")).isTrue();
    assertThat(new AllowedOrigins(List.of("https://a.org")).allow(null, null)).isTrue();
  }

  @Test
  void an_empty_list_lets_in_pages_of_the_same_host_and_port_only() {
    var sameHost = new AllowedOrigins(List.of());

    assertThat(sameHost.allow("https://example.org", "example.org")).isTrue();
    assertThat(sameHost.allow("http://example.org:8000", "Example.org:8000")).isTrue();
    assertThat(sameHost.allow("http://example.org:8000", "example.org:8080")).isFalse();
    assertThat(sameHost.allow("https://evil.org", "example.org")).isFalse();
    assertThat(sameHost.allow("https://example.org.evil.org", "example.org")).isFalse();
    assertThat(sameHost.allow("https://evil.org/example.org", "example.org")).isFalse();
    assertThat(sameHost.allow("https://example.org", null)).isFalse();
  }

  @Test
  void a_list_lets_in_exactly_its_origins_whatever_their_case() {
    var listed = new AllowedOrigins(List.of("https://A.org", "http://b.org:81"));

    assertThat(listed.allow("https://a.org", "x")).isTrue();
    assertThat(listed.allow("http://b.org:81", "x")).isTrue();
    assertThat(listed.allow("http://b.org", "x")).isFalse();
    assertThat(listed.allow("http://a.org", "x")).isFalse();
    assertThat(listed.allow("https://sub.a.org", "x")).isFalse();
    assertThat(listed.allow("https://x", "x")).isFalse();
  }

  @Test
  void a_star_lets_in_every_page() {
    assertThat(new AllowedOrigins(List.of("*")).allow("https://any.org", "x")).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "not a uri", "://", "file:///home", "\u0000"})
  void odd_origins_are_no_pages_of_this_host(String origin) {
    assertThat(new AllowedOrigins(List.of()).allow(origin, "example.org")).isFalse();
    assertThat(new AllowedOrigins(List.of("https://a.org")).allow(origin, "a.org")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "example.org", "https://example.org/", "https://", "https://a.org/b"})
  void origins_that_no_browser_sends_are_refused_at_start(String origin) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new AllowedOrigins(List.of(origin)))
        .withMessageContaining("hawser.connection.allowed-origins has \"" + origin + "\"")
        .withMessageContaining("expected");
  }
}
