// A component that renders again only when its properties differ. preact/compat has the same, at a
// size that this page does not want to pay.
import { Component, h, type FunctionComponent } from 'preact';

export function memo<P extends object>(of: FunctionComponent<P>,
                                       same: (a: P, b: P) => boolean): FunctionComponent<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P) { return !same(this.props, next); }
    override render(props: P) { return h(of, props as any); }
  } as unknown as FunctionComponent<P>;
}
