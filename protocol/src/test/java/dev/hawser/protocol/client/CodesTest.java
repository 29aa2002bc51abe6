package dev.hawser.protocol.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CodesTest {

  @ParameterizedTest
  @CsvSource({
    "3000, true", "3499, true", "3500, false", "3999, false",
    "4000, true", "4499, true", "4500, false", "4999, false"
  })
  void theRangeOfADisconnectCodeTellsWhetherClientsComeBack(int code, boolean reconnect) {
    assertThat(new DisconnectCode(code, "any").reconnect()).isEqualTo(reconnect);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1000, 2999, 5000})
  void aDisconnectCodeOutsideTheProtocolIsRefused(int code) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DisconnectCode(code, "any"))
        .withMessageContaining("3000 to 4999")
        .withMessageContaining(String.valueOf(code));
  }

  @ParameterizedTest
  @ValueSource(strings = {"123", "null", " true ", "\"quoted\"", "{\"reconnect\":false}", "[]"})
  void aDisconnectReasonThatParsesAsJsonIsRefused(String reason) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DisconnectCode(4000, reason))
        .withMessageContaining("JSON");
  }

  @Test
  void aDisconnectReasonFitsIntoACloseFrame() {
    assertThat(new DisconnectCode(4000, "€".repeat(41)).reason()).hasSize(41);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DisconnectCode(4000, "€".repeat(41) + "!"))
        .withMessageContaining("123");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DisconnectCode(4000, ""))
        .withMessageContaining("empty");
  }

  @Test
  void anUnsubscribeCodeFrom2500OnMakesClientsSubscribeAgain() {
    assertThat(UnsubscribeCode.SERVER_UNSUBSCRIBE.resubscribe()).isFalse();
    assertThat(UnsubscribeCode.INSUFFICIENT_STATE.resubscribe()).isTrue();
    assertThatIllegalArgumentException().isThrownBy(() -> new UnsubscribeCode(1999, "any"));
    assertThatIllegalArgumentException().isThrownBy(() -> new UnsubscribeCode(3000, "any"));
    assertThatIllegalArgumentException().isThrownBy(() -> new UnsubscribeCode(2000, ""));
  }
}
