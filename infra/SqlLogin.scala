package shoplake

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}
import java.security.MessageDigest
import javax.security.sasl.AuthenticationException

import org.apache.hive.service.auth.PasswdAuthenticationProvider

/** Who may use the engine's SQL port: `shoplake` and `bi`, each with the password in the file that the engine was started with. */
class SqlLogin extends PasswdAuthenticationProvider {
  private val files = Map("shoplake" -> "SHOPLAKE_SQL_PASSWORD_FILE", SqlRoles.Reader -> "SHOPLAKE_BI_PASSWORD_FILE")

  override def Authenticate(user: String, password: String): Unit = {
    val wanted = files.get(user).map(name => Files.readString(Paths.get(System.getenv(name))).trim)
    val right = password != null && wanted.exists(w => MessageDigest.isEqual(w.getBytes(UTF_8), password.getBytes(UTF_8)))
    if (!right) throw new AuthenticationException("Wrong user or password")
  }
}
