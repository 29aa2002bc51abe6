package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AllowedOriginsTest {

  @Test
  void clientsThatAreNoBrowsersSendNoOriginAndAreLetIn() {
    assertThat(new AllowedOrigins(List.of()).allow(null, "example.org")).isTrue();
    assertThat(new AllowedOrigins(List.of("https://a.org")).allow(null, null)).isTrue();
  }

  @Test
  void anEmptyListLetsInPagesOfTheSameHostAndPortOnly() {
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
  void aListLetsInExactlyItsOriginsWhateverTheirCase() {
    var listed = new AllowedOrigins(List.of("https://A.org", "http://b.org:81"));

    assertThat(listed.allow("https://a.org", "x")).isTrue();
    assertThat(listed.allow("http://b.org:81", "x")).isTrue();
    assertThat(listed.allow("http://b.org", "x")).isFalse();
    assertThat(listed.allow("http://a.org", "x")).isFalse();
    assertThat(listed.allow("https://sub.a.org", "x")).isFalse();
    assertThat(listed.allow("https://x", "x")).isFalse();
  }

  @Test
  void aStarLetsInEveryPage() {
    assertThat(new AllowedOrigins(List.of("*")).allow("https://any.org", "x")).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "not a uri", "://", "file:///home", "\u0000"})
  void oddOriginsAreNoPagesOfThisHost(String origin) {
    assertThat(new AllowedOrigins(List.of()).allow(origin, "example.org")).isFalse();
    assertThat(new AllowedOrigins(List.of("https://a.org")).allow(origin, "a.org")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "example.org", "https://example.org/", "https://", "https://a.org/b"})
  void originsThatNoBrowserSendsAreRefusedAtStart(String origin) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new AllowedOrigins(List.of(origin)))
        .withMessageContaining("hawser.connection.allowed-origins has \"" + origin + "\"")
        .withMessageContaining("expected");
  }
}
